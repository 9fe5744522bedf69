"""Scenes like another one: with a thing less, with a thing changed, elsewhere; they make wrong outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from editfoundry.tinyworld.scene import Scene, SceneObject
from editfoundry.tinyworld.scene_sampling import random_background, random_object
from editfoundry.tinyworld.wrong_outcomes import variants


def like_scenes(random: np.random.Generator, scene: Scene) -> Iterator[Scene]:
    """Yield scenes like ``scene`` without end, never itself: first as if something were missing, then random ones."""
    for index in range(len(scene.objects)):
        yield without(scene, index)
    if len(scene.objects) > 1:
        yield replace(scene, objects=())
    for _ in range(2):
        yield from (other for other in _other_things(random, scene) if other != scene)
    while True:
        changed = next(_other_things(random, scene), scene)
        yield replace(changed, background=random_background(random))
        yield from (other for other in _other_things(random, scene) if other != scene)


def changed_likenesses(random: np.random.Generator, scene: Scene, index: int) -> Iterator[Scene]:
    """Yield scenes without end in which one thing is another, or the same in another state, colour, size or place."""
    yield without(scene, index)
    kinds = list(variants(scene.objects[index]))
    for place in random.permutation(len(kinds)):
        if kinds[int(place)] != scene.objects[index]:
            yield _with(scene, index, kinds[int(place)])
    while True:
        yield _another(random, scene, index)


def without(scene: Scene, index: int) -> Scene:
    """Return the scene without one of its things."""
    return replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])


def _other_things(random: np.random.Generator, scene: Scene) -> Iterator[Scene]:
    """Yield the scene with each of its things replaced by a random one, and by a variant of it."""
    for index, thing in enumerate(scene.objects):
        yield _another(random, scene, index)
        kinds = list(variants(thing))
        yield _with(scene, index, kinds[int(random.integers(len(kinds)))])


def _another(random: np.random.Generator, scene: Scene, index: int) -> Scene:
    thing = scene.objects[index]
    other = random_object(random, thing.position)
    return _with(scene, index, replace(other, size=thing.size, dx=thing.dx, ground=thing.ground))


def _with(scene: Scene, index: int, thing: SceneObject) -> Scene:
    return replace(scene, objects=(*scene.objects[:index], thing, *scene.objects[index + 1 :]))
