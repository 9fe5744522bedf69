"""Plausible wrong outcomes of an edit, to score against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from editfoundry.tinyworld.backgrounds import Background, all_backgrounds
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.scene import IMAGE_SIZE, POSITIONS, SIZES, Scene, SceneObject, picture_of
from editfoundry.tinyworld.scene_sampling import random_background, random_object

NUM_WRONG_OUTCOMES = 12
"""Scenes, at least, that a case is scored against, beside the smears."""
NUM_MIXED_OUTCOMES = 3
"""The first of them are drawn: another state, nothing there, another thing. The rest is listed in order."""
MIN_CHANGED_SHARE = 0.005
"""Share of a picture's pixels that an edit must truly change to be seen."""
MIN_DIFFERING_SHARE = 0.1
"""Share of the truly changed region in which two outcomes must visibly differ to be told apart."""
SMEAR_RADIUS = 4
"""Standard deviation, in pixels of 64, of the blur that wipes a thing out."""


def shows(edit: Edit) -> bool:
    """Whether the edit can be seen; what it changes may hide behind another object."""
    return float(changed_region(picture_of(edit.before), picture_of(edit.after)).mean()) >= MIN_CHANGED_SHARE


def changed_thing(edit: Edit) -> str:
    """Return the kind of object that the edit changes, brings or takes away; or ``background``."""
    if edit.before.background != edit.after.background:
        return "background"
    return next(thing.kind for _, thing in _things(edit))


def wrong_outcomes(random: np.random.Generator, edit: Edit, count: int = NUM_WRONG_OUTCOMES) -> list[Scene]:
    """Return at least ``count`` scenes that somebody might take for the outcome; the first of them are drawn.

    They are the thing in every other state, absent, elsewhere, in the other size and in its other colours, and other
    things in its place; for a background, other backgrounds. Drawn ones fill up what is lacking. Inside the region that
    truly changes, each visibly differs from the input and from the true outcome, the first three also from one
    another. The edit must be one that ``shows``.
    """
    before, truth = picture_of(edit.before), picture_of(edit.after)
    region = changed_region(before, truth)
    chosen: list[Scene] = []
    seen = [before, truth]
    drawn = _drawn(random, edit)
    while len(chosen) < min(count, NUM_MIXED_OUTCOMES):
        scene = next(drawn)
        picture = picture_of(scene)
        if all(differ(picture, other, region) for other in seen):
            chosen.append(scene)
            seen.append(picture)
    if count <= NUM_MIXED_OUTCOMES:
        return chosen
    told_apart = [before, truth]
    for scene in _listed(edit):
        if scene not in chosen and all(differ(picture_of(scene), other, region) for other in told_apart):
            chosen.append(scene)
    while len(chosen) < count:
        scene = next(drawn)
        if scene not in chosen and all(differ(picture_of(scene), other, region) for other in told_apart):
            chosen.append(scene)
    return chosen


def smeared_outcomes(before: np.ndarray, truth: np.ndarray) -> list[np.ndarray]:
    """Return what is left when an edit merely wipes things out: the input blurred, and the region in one colour.

    Args:
        before: the input, ``(H, W, 3)`` uint8 RGB.
        truth: the true outcome, of the same size.

    Returns:
        Up to two pictures like the input; one that cannot be told from the truth, as where a thing is truly removed
        from a plain ground, is left out.
    """
    region = changed_region(before, truth)
    radius = SMEAR_RADIUS * before.shape[0] / IMAGE_SIZE
    blurred = np.asarray(Image.fromarray(before).filter(ImageFilter.GaussianBlur(radius)))
    filled = before.copy()
    filled[region] = before[region].mean(axis=0).round()
    return [picture for picture in (blurred, filled) if differ(picture, truth, region)]


def _drawn(random: np.random.Generator, edit: Edit) -> Iterator[Scene]:
    """Yield without end: other states in random order, nothing there, then random other things."""
    before, after = edit.before, edit.after
    if edit.index is None:
        yield from _wrong_additions(random, edit)
        return
    index = edit.index
    thing = before.objects[index]
    states = [s for s in KINDS[thing.kind].states if s != thing.state]
    for state in random.permutation(states):
        yield before.with_object(index, state=str(state))
    yield replace(before, objects=before.objects[:index] + before.objects[index + 1 :])
    while True:
        other = random_object(random, thing.position)
        other = replace(other, size=thing.size, dx=thing.dx, ground=thing.ground)
        yield replace(before, objects=(*before.objects[:index], other, *before.objects[index + 1 :]))
        if len(after.objects) == len(before.objects):
            yield after.with_object(index, kind=other.kind, state=other.state, colour=other.colour)


def _wrong_additions(random: np.random.Generator, edit: Edit) -> Iterator[Scene]:
    added = _added(edit)
    while True:
        if added is None:
            yield replace(edit.before, background=random_background(random))
        else:
            other = replace(random_object(random, added.position), size=added.size, dx=added.dx, ground=added.ground)
            yield replace(edit.after, objects=tuple(other if o == added else o for o in edit.after.objects))


def _listed(edit: Edit) -> Iterator[Scene]:
    """Yield the systematic ones: the thing before and after the edit, otherwise; or the other backgrounds."""
    if edit.before.background != edit.after.background:
        yield from _other_backgrounds(edit)
        return
    for scene, thing in _things(edit):
        others = tuple(o for o in scene.objects if o is not thing)
        yield replace(scene, objects=others)
        for variant in variants(thing):
            yield replace(scene, objects=tuple(variant if o is thing else o for o in scene.objects))


def _things(edit: Edit) -> Iterator[tuple[Scene, SceneObject]]:
    """Yield what changes, in the scene before and in the scene after, wherever it is there."""
    for scene, other in ((edit.before, edit.after), (edit.after, edit.before)):
        for thing in scene.objects:
            if thing not in other.objects:
                yield scene, thing


def variants(thing: SceneObject) -> Iterator[SceneObject]:
    """Yield the thing in every state, at every position, in every size and in every colour, one change at a time."""
    kind = KINDS[thing.kind]
    yield from (replace(thing, state=state) for state in kind.states)
    yield from (replace(thing, position=position) for position in POSITIONS)
    yield from (replace(thing, size=size) for size in SIZES)
    yield from (replace(thing, colour=colour) for colour in kind.colours)


def _other_backgrounds(edit: Edit) -> Iterator[Scene]:
    """Yield the most alike first: the same place at another time or in another season, then other places."""

    def unlikeness(background: Background) -> tuple[bool, int]:
        asked = edit.after.background
        return background.place != asked.place, (background.time != asked.time) + (background.season != asked.season)

    for background in sorted(all_backgrounds(), key=unlikeness)[: 2 * NUM_WRONG_OUTCOMES]:
        yield replace(edit.after, background=background)


def _added(edit: Edit) -> SceneObject | None:
    return next((o for o in edit.after.objects if o not in edit.before.objects), None)


def differ(first: np.ndarray, second: np.ndarray, region: np.ndarray) -> bool:
    """Whether two pictures, ``(H, W, 3)`` uint8, can be told apart in a region, ``(H, W)`` bool."""
    return float(changed_region(first, second)[region].mean()) >= MIN_DIFFERING_SHARE
