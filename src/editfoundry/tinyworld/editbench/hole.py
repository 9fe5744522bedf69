"""A hole in a picture: what stood there, what a prompt asks for, and what an edit can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from editfoundry.tinyworld.scene import POSITIONS, Scene, SceneObject

Part = Callable[[SceneObject], object]
PARTS_OF_A_THING: Mapping[str, Part] = {
    "object": lambda thing: thing.kind,
    "colour": lambda thing: thing.colour,
    "shape": lambda thing: thing.state,
    "size": lambda thing: thing.size,
    "position": lambda thing: thing.position,
}
"""Attribute -> what of a thing it is. Shape is the state that the thing is in: whole, broken, open."""
COUNT = "count"
ATTRIBUTES = (*PARTS_OF_A_THING, COUNT)
"""What an edit can get right or wrong, in the order of reports."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What somebody might paint into a hole instead of what stood there."""

    things: tuple[SceneObject, ...]
    wrong: str
    """The attribute in which it differs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hole:
    """A hole, and what a prompt asks into it."""

    around: Scene
    """The scene without what stood in the hole."""
    things: tuple[SceneObject, ...]
    """What stood there, and is asked for: one thing, or two."""
    asked: tuple[str, ...]
    """The attributes that can be measured: those that the prompt names and the hole leaves open."""
    mask: np.ndarray
    """``(H, W)`` bool, the hole, at the size of the pictures."""

    @property
    def is_wide(self) -> bool:
        """Whether the hole has room for a thing at every position, so that it does not tell where things stood."""
        return COUNT in self.asked or "position" in self.asked

    def scene_with(self, things: Sequence[SceneObject]) -> Scene:
        """Return the scene with things in the hole, in the order of captions."""
        order = list(POSITIONS)
        together = sorted((*self.around.objects, *things), key=lambda thing: order.index(thing.position))
        return Scene(background=self.around.background, objects=tuple(together))

    def rights(self, painted: Sequence[SceneObject]) -> dict[str, bool]:
        """Return asked attribute -> whether what was painted has it.

        Each thing is held against the painted one that has most of what was asked, its kind counting twice; all things
        must have an attribute.
        """
        parts = [name for name in self.asked if name != COUNT]
        chosen = max(self._pairings(painted), key=lambda pairs: _num_right(pairs, ("object", *parts)))
        found = {name: all(_agree(pair, name) for pair in chosen) for name in parts}
        return found | ({COUNT: len(painted) == len(self.things)} if COUNT in self.asked else {})

    def _pairings(self, painted: Sequence[SceneObject]) -> list[list[_Pair]]:
        """Return every way to hold the things against as many of the painted ones, or against nothing."""
        missing = [None] * max(0, len(self.things) - len(painted))
        return [
            list(zip(self.things, taken, strict=True)) for taken in permutations([*painted, *missing], len(self.things))
        ]


_Pair = tuple[SceneObject, SceneObject | None]


def _agree(pair: _Pair, attribute: str) -> bool:
    asked, painted = pair
    part = PARTS_OF_A_THING[attribute]
    return painted is not None and part(painted) == part(asked)


def _num_right(pairs: Sequence[_Pair], attributes: Sequence[str]) -> int:
    return sum(_agree(pair, name) for pair, name in product(pairs, attributes))
