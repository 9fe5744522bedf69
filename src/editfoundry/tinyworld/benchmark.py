"""The tinyworld benchmarks: world instructions and plain edits with exactly known outcomes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.rules import new_rules, trained_rules
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.wrong_outcomes import changed_thing, picture_of, shows, smeared_outcomes, wrong_outcomes

WorldSplit = Literal["test", "test-new-rules"]


def world_cases(split: WorldSplit, count: int, seed: int, held_out_wording: bool = True) -> list[EditCase]:
    """Return ``count`` world instructions, the rules taking turns.

    ``test`` has unseen combinations and, but for ``held_out_wording=False``, unseen wordings of trained rules;
    ``test-new-rules`` rules never trained.
    """
    rules = trained_rules() if split == "test" else new_rules()
    cases = []
    for number in range(count):
        random = random_stream("benchmark", split, seed, number)
        # The rules are ordered by category; striding makes a small count cover all categories alike.
        rule = rules[(number * 19) % len(rules)]
        draw = partial(sample_world_edit, random, "test", rule, held_out_wording=held_out_wording)
        cases.append(_telling_case(f"{split}-{seed}-{number:05d}", draw, random))
    return cases


def plain_cases(count: int, seed: int) -> list[EditCase]:
    """Return ``count`` add, change and remove edits on unseen combinations, in turns."""
    cases = []
    for number in range(count):
        random = random_stream("benchmark", "plain", seed, number)
        category = PLAIN_CATEGORIES[number % len(PLAIN_CATEGORIES)]
        draw = partial(sample_plain_edit, random, "test", category)
        cases.append(_telling_case(f"plain-{seed}-{number:05d}", draw, random))
    return cases


def _telling_case(identifier: str, draw: Callable[[], Edit], random: np.random.Generator) -> EditCase:
    """Draw edits until one shows, for an object may stand hidden behind another, and no guess answers it."""
    while True:
        edit = draw()
        if shows(edit):
            case = case_of_edit(identifier, edit, random)
            if not is_guessed(case):
                return case


def case_of_edit(identifier: str, edit: Edit, random: np.random.Generator) -> EditCase:
    """Return an edit that ``shows`` with its pictures; ``random`` draws some of the wrong outcomes."""
    before, truth = picture_of(edit.before), picture_of(edit.after)
    wrong = [picture_of(scene) for scene in wrong_outcomes(random, edit)]
    return EditCase(
        id=identifier,
        category=edit.category,
        rule=edit.rule,
        instruction=edit.instruction,
        input_caption=edit.before.caption,
        output_caption=edit.after.caption,
        input_image=before,
        true_output=truth,
        wrong_outputs=np.stack([*wrong, *smeared_outcomes(before, truth)]),
        changes=changed_thing(edit),
    )
