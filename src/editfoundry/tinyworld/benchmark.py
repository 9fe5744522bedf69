"""The tinyworld benchmarks: world instructions and plain edits with exactly known outcomes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.rules import new_rules, trained_rules
from editfoundry.tinyworld.scene import IMAGE_SIZE, render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.wrong_outcomes import shows, wrong_outcomes

WorldSplit = Literal["test", "test-new-rules"]


def world_cases(
    split: WorldSplit, count: int, seed: int, held_out_wording: bool = True, side: int = IMAGE_SIZE
) -> list[EditCase]:
    """Return ``count`` world instructions as pictures of ``side`` pixels, the rules taking turns.

    ``test`` has unseen combinations and, but for ``held_out_wording=False``, unseen wordings of trained rules;
    ``test-new-rules`` rules never trained.
    """
    rules = trained_rules() if split == "test" else new_rules()
    cases = []
    for number in range(count):
        random = random_stream("benchmark", split, seed, number)
        # The rules are ordered by category; striding makes a small count cover all categories alike.
        rule = rules[(number * 19) % len(rules)]
        edit = _visible(partial(sample_world_edit, random, "test", rule, held_out_wording=held_out_wording))
        cases.append(_case(f"{split}-{seed}-{number:05d}", edit, random, side))
    return cases


def plain_cases(count: int, seed: int, side: int = IMAGE_SIZE) -> list[EditCase]:
    """Return ``count`` add, change and remove edits on unseen combinations, in turns, pictures of ``side`` pixels."""
    cases = []
    for number in range(count):
        random = random_stream("benchmark", "plain", seed, number)
        category = PLAIN_CATEGORIES[number % len(PLAIN_CATEGORIES)]
        edit = _visible(partial(sample_plain_edit, random, "test", category))
        cases.append(_case(f"plain-{seed}-{number:05d}", edit, random, side))
    return cases


def _visible(draw: Callable[[], Edit]) -> Edit:
    """Draw edits until one shows: an object that changes may stand hidden behind another."""
    while True:
        edit = draw()
        if shows(edit):
            return edit


def _case(identifier: str, edit: Edit, random: np.random.Generator, side: int) -> EditCase:
    return EditCase(
        id=identifier,
        category=edit.category,
        rule=edit.rule,
        instruction=edit.instruction,
        input_caption=edit.before.caption,
        output_caption=edit.after.caption,
        input_image=render(edit.before, side),
        true_output=render(edit.after, side),
        wrong_outputs=np.stack([render(scene, side) for scene in wrong_outcomes(random, edit)]),
    )
