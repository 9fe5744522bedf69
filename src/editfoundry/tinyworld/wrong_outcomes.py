"""Plausible wrong outcomes of an edit, to score against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.scene import Scene, render
from editfoundry.tinyworld.scene_sampling import random_background, random_object

NUM_WRONG_OUTCOMES = 3
MIN_CHANGED_SHARE = 0.005
"""Share of a picture's pixels that an edit must truly change to be seen."""
MIN_DIFFERING_SHARE = 0.1
"""Share of the truly changed region in which two outcomes must visibly differ to be told apart."""


def shows(edit: Edit) -> bool:
    """Whether the edit can be seen; what it changes may hide behind another object."""
    return float(changed_region(render(edit.before), render(edit.after)).mean()) >= MIN_CHANGED_SHARE


def wrong_outcomes(random: np.random.Generator, edit: Edit) -> list[Scene]:
    """Return three scenes that somebody might take for the outcome: another state, another thing, nothing there...

    Inside the region that truly changes, they visibly differ from the input, from the true outcome and from one
    another. The edit must be one that ``shows``.
    """
    chosen: list[Scene] = []
    seen = [render(edit.before), render(edit.after)]
    region = changed_region(*seen)
    for scene in _candidates(random, edit):
        picture = render(scene)
        if all(_differ(picture, other, region) for other in seen):
            chosen.append(scene)
            seen.append(picture)
        if len(chosen) == NUM_WRONG_OUTCOMES:
            break
    return chosen


def _candidates(random: np.random.Generator, edit: Edit) -> Iterator[Scene]:
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
    added = next((o for o in edit.after.objects if o not in edit.before.objects), None)
    while True:
        if added is None:
            yield replace(edit.before, background=random_background(random))
        else:
            other = replace(random_object(random, added.position), size=added.size, dx=added.dx, ground=added.ground)
            yield replace(edit.after, objects=tuple(other if o == added else o for o in edit.after.objects))


def _differ(first: np.ndarray, second: np.ndarray, region: np.ndarray) -> bool:
    return float(changed_region(first, second)[region].mean()) >= MIN_DIFFERING_SHARE
