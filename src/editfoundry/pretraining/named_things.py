"""Phrases that name things of a scene, and phrases that name nothing in it: what a detector is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import Scene, SceneObject
from editfoundry.tinyworld.scene_sampling import random_object

MAX_ABSENT = 3
"""Phrases of a prompt that name nothing in the picture."""
KIN_SHARE = 0.5
"""Share of those that name a thing of the picture in another state or colour."""
KIND_SHARE = 0.3
"""Share of phrases that are the kind alone ("the cup"), where that tells which thing is meant."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class NamedThing:
    """A thing in a picture."""

    thing: SceneObject
    box: Box


def asked_phrases(scene: Scene, seen: list[NamedThing], random: np.random.Generator) -> list[tuple[str, Box | None]]:
    """Draw phrases in any order, each with the box of what it names, or None where it names nothing in the scene."""
    asked: list[tuple[str, Box | None]] = [
        (wording(one.thing, random, is_told_by_kind(one.thing, scene)), one.box)
        for one in seen
        if random.random() < 0.9
    ]
    count = int(random.integers(0 if asked else 1, MAX_ABSENT + 1))
    asked += [
        (wording(thing, random, is_told_by_kind(thing, scene)), None) for thing in absent_things(scene, count, random)
    ]
    return [asked[place] for place in random.permutation(len(asked))]


def absent_things(scene: Scene, count: int, random: np.random.Generator) -> list[SceneObject]:
    """Draw things that are not in a scene, of different names; many are kin of one that is: another state or colour."""
    names = {name_of(thing) for thing in scene.objects}
    found: list[SceneObject] = []
    while len(found) < count:
        thing = random_object(random, "middle")
        if scene.objects and random.random() < KIN_SHARE:
            kin = scene.objects[int(random.integers(len(scene.objects)))]
            thing = _other_look(kin, random)
        if name_of(thing) not in names:
            names.add(name_of(thing))
            found.append(thing)
    return found


def name_of(thing: SceneObject) -> str:
    """Return what tells a thing from others, its size aside, for example ``"a bitten red apple"``."""
    return replace(thing, size="large").phrase


def kind_of(thing: SceneObject) -> str:
    """Return a thing's kind with its article, for example ``"an apple"``."""
    return f"{'an' if thing.kind[0] in 'aeiou' else 'a'} {thing.kind}"


def is_told_by_kind(thing: SceneObject, scene: Scene) -> bool:
    """Return whether a thing's kind names it, and nothing else of a scene.

    No other thing has a word of that kind, as an oil lamp has of a lamp; and the kind is not what another look of the
    thing is called, as a frog is that became a prince.
    """
    words, kind = set(thing.kind.split()), KINDS[thing.kind]
    looks = {kind.phrase(state, colour) for state in kind.states for colour in kind.colours} - {name_of(thing)}
    others = (other for other in scene.objects if other is not thing)
    return kind_of(thing) not in looks and not any(words & set(other.kind.split()) for other in others)


def wording(thing: SceneObject, random: np.random.Generator, told_by_kind: bool = False) -> str:
    """Draw a way to name a thing: with its article, with "the", or bare; a small one with or without that word.

    Where its kind tells it from all else, ``told_by_kind``, some are named by that alone.
    """
    phrase = thing.phrase if random.random() < 0.7 else name_of(thing)
    if told_by_kind and random.random() < KIND_SHARE:
        phrase = kind_of(thing)
    bare = phrase.split(" ", 1)[1]
    return (phrase, f"the {bare}", bare)[int(random.integers(3))]


def every_word() -> list[str]:
    """Return all words that phrases hold, as BERT cuts them: at hyphens and apostrophes too."""
    phrases = [
        kind.phrase(state, colour) for kind in KINDS.values() for state in kind.states for colour in kind.colours
    ]
    words = re.findall(r"[a-z]+", " ".join(["the a an small large", *sorted(KINDS), *phrases]).lower())
    return sorted(set(words))


def _other_look(thing: SceneObject, random: np.random.Generator) -> SceneObject:
    kind = KINDS[thing.kind]
    states, colours = tuple(kind.states), kind.colours
    return replace(
        thing,
        state=states[int(random.integers(len(states)))],
        colour=colours[int(random.integers(len(colours)))],
    )
