"""Seeded random scenes, and the split that is fixed before anything is drawn.

Every kind of object is kept out of one place, and every colour of a kind out of one position. Scenes with such a
combination exist only in the test split; ``train`` scenes have none.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

from editfoundry.tinyworld.backgrounds import PLACES, TIMES, Background, seasons_of
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import POSITIONS, SIZES, Scene, SceneObject

Split = Literal["train", "test"]
SPLIT_SEED = 20240522
TWO_OBJECTS_SHARE = 0.3
OFFSETS = (-0.03, 0.03)
"""Between which an object's ``dx`` is drawn, which no text tells."""
GROUNDS = (0.10, 0.20)
"""Between which its ``ground`` is drawn."""


def random_stream(*key: object) -> np.random.Generator:
    """Return a generator that depends on nothing but ``key``."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def held_out_place(kind: str) -> str:
    """The place where ``kind`` is never seen in training."""
    return _choice(random_stream(SPLIT_SEED, "place", kind), tuple(PLACES))


def held_out_position(kind: str, colour: str) -> str | None:
    """The position where ``kind`` in ``colour`` is never seen in training; None for kinds of one colour."""
    if len(KINDS[kind].colours) == 1:
        return None
    return _choice(random_stream(SPLIT_SEED, "position", kind, colour), tuple(POSITIONS))


def is_held_out(scene: Scene) -> bool:
    """Whether the scene shows a combination that training never sees."""
    return any(
        scene.background.place == held_out_place(o.kind) or o.position == held_out_position(o.kind, o.colour)
        for o in scene.objects
    )


def sample_scene(
    random: np.random.Generator,
    split: Split = "train",
    kind: str | None = None,
    state: str | None = None,
    num_objects: int | None = None,
) -> Scene:
    """Draw a scene of ``split``; its first object has the given ``kind`` and ``state`` where they are given."""
    while True:
        scene = _any_scene(random, kind, state, num_objects)
        if is_held_out(scene) == (split == "test"):
            return scene


def _any_scene(random: np.random.Generator, kind: str | None, state: str | None, num_objects: int | None) -> Scene:
    first = kind or _choice(random, tuple(KINDS))
    second = _choice(random, tuple(k for k in KINDS if k != first))
    if num_objects is None:
        num_objects = 2 if random.random() < TWO_OBJECTS_SHARE else 1
    positions = [("left", "right"), ("right", "left")][int(random.integers(2))]
    if num_objects == 1:
        positions = (_choice(random, tuple(POSITIONS)), "")
    objects = [_random_object(random, first, state, positions[0])]
    if num_objects == 2:
        objects.append(_random_object(random, second, None, positions[1]))
    objects.sort(key=lambda o: list(POSITIONS).index(o.position))
    return Scene(background=random_background(random), objects=tuple(objects))


def random_background(random: np.random.Generator) -> Background:
    """Draw a place, a time of day and, where seasons show, a season."""
    place = _choice(random, tuple(PLACES))
    return Background(place, _choice(random, TIMES), _choice(random, seasons_of(place)))


def random_object(random: np.random.Generator, position: str) -> SceneObject:
    """Draw an object of any kind, in any state, at ``position``."""
    return _random_object(random, _choice(random, tuple(KINDS)), None, position)


def _random_object(random: np.random.Generator, kind: str, state: str | None, position: str) -> SceneObject:
    description = KINDS[kind]
    return SceneObject(
        kind=kind,
        state=state or _choice(random, tuple(description.states)),
        colour=_choice(random, description.colours),
        position=position,
        size=_choice(random, tuple(SIZES)),
        dx=round(float(random.uniform(*OFFSETS)), 3),
        ground=round(float(random.uniform(*GROUNDS)), 3),
    )


def _choice(random: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(random.integers(len(options)))]
