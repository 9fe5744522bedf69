"""What a kind of object is: its states, the colours it comes in, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from editfoundry.tinyworld.colours import RGB
from editfoundry.tinyworld.pen import Pen

Look = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class State:
    """One state of a kind: how a caption names it and where its drawing's parameters stand."""

    phrase: str
    """Noun phrase with its article; ``{colour}`` marks where a colour word goes, as in ``"a {colour} balloon"``."""
    look: Look
    """Parameters of the drawing; every state of a kind has the same keys, so any two states can be interpolated."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of object."""

    name: str
    draw: Callable[[Pen, Look, RGB], None]
    """Draws the object standing at the pen's origin; continuous in every parameter of the look."""
    states: Mapping[str, State]
    colours: tuple[str, ...]
    """Names from ``COLOURS``; a kind with one colour is never called by it."""

    def __post_init__(self) -> None:
        keys = {frozenset(s.look) for s in self.states.values()}
        if len(keys) != 1:
            raise ValueError(f"kind {self.name!r}: its states' looks have different keys: {sorted(map(sorted, keys))}")

    def phrase(self, state: str, colour: str) -> str:
        """Return the noun phrase of this kind in ``state`` and ``colour``, for example ``"a red balloon"``."""
        word = colour if len(self.colours) > 1 else ""
        text = " ".join(self.states[state].phrase.format(colour=word).split())
        return re.sub(r"\ba (?=[aeiou])", "an ", text)

    def look_between(self, before: str, after: str, progress: float) -> dict[str, float]:
        """Interpolate two states' looks; ``progress`` in [0, 1] runs from ``before`` to ``after``."""
        first, second = self.states[before].look, self.states[after].look
        return {key: first[key] + (second[key] - first[key]) * progress for key in first}
