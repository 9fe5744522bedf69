"""How an instruction is said: some ways are trained, others are heard in tests alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from editfoundry.tinyworld.scene import SceneObject


@dataclass(frozen=True)
class Wordings:
    """Ways to say one instruction; ``{the}`` and the like are filled in."""

    trained: tuple[str, ...]
    held_out: tuple[str, ...]

    def say(self, random: np.random.Generator, held_out: bool, **said: str) -> str:
        """Draw a wording and fill it in; it begins with a capital."""
        wordings = self.held_out if held_out else self.trained
        text = wordings[int(random.integers(len(wordings)))].format(**said)
        return text[0].upper() + text[1:]


def with_article(words: str) -> str:
    """Return words with ``a`` or ``an`` before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def with_adjective(phrase: str, adjective: str) -> str:
    """Return a noun phrase with one more adjective, for example ``"a wooden red apple"``."""
    return with_article(f"{adjective} {phrase.split(' ', 1)[1]}")


def placed(thing: SceneObject, phrase: str) -> str:
    """Return another phrase for a thing with the side that the thing stands on, as captions say it."""
    return phrase if thing.position == "middle" else f"{phrase} on the {thing.position}"
