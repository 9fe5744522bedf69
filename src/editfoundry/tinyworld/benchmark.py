"""The tinyworld benchmarks: world instructions and plain edits with exactly known outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from editfoundry.data.record import PLAIN_CATEGORIES
from editfoundry.tinyworld.ambiguous import ambiguous_rules, others_outcomes, sample_ambiguous_edit
from editfoundry.tinyworld.edit_case import EditCase, stacked_pictures
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.kept_cases import kept_at_world_size
from editfoundry.tinyworld.open_outcomes import open_outcomes
from editfoundry.tinyworld.rules import new_rules, trained_rules
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, picture_of, render
from editfoundry.tinyworld.scene_sampling import Split, random_stream
from editfoundry.tinyworld.wrong_outcomes import changed_thing, shows, smeared_outcomes, wrong_outcomes

WorldSplit = Literal["test", "test-new-rules"]


def world_cases(
    split: WorldSplit, count: int, seed: int, held_out_wording: bool = True, side: int = IMAGE_SIZE
) -> list[EditCase]:
    """Return ``count`` world instructions as pictures of ``side`` pixels, the rules taking turns.

    ``test`` has unseen combinations and, but for ``held_out_wording=False``, unseen wordings of trained rules;
    ``test-new-rules`` rules never trained.
    """
    return [_world_case(side, split, number, seed, held_out_wording) for number in range(count)]


@kept_at_world_size
def _world_case(side: int, split: WorldSplit, number: int, seed: int, held_out_wording: bool) -> EditCase:
    random = random_stream("benchmark", split, seed, number)
    rules = trained_rules() if split == "test" else new_rules()
    # The rules are ordered by category; striding makes a small count cover all categories alike.
    rule = rules[(number * 19) % len(rules)]
    draw = partial(sample_world_edit, random, "test", rule, held_out_wording=held_out_wording)
    return _telling_case(f"{split}-{seed}-{number:05d}", draw, random, side)


def plain_cases(count: int, seed: int, side: int = IMAGE_SIZE) -> list[EditCase]:
    """Return ``count`` add, change and remove edits on unseen combinations, in turns, pictures of ``side`` pixels."""
    return [_plain_case(side, number, seed) for number in range(count)]


@kept_at_world_size
def _plain_case(side: int, number: int, seed: int) -> EditCase:
    random = random_stream("benchmark", "plain", seed, number)
    category = PLAIN_CATEGORIES[number % len(PLAIN_CATEGORIES)]
    draw = partial(sample_plain_edit, random, "test", category)
    return _telling_case(f"plain-{seed}-{number:05d}", draw, random, side)


def ambiguous_cases(count: int, seed: int, side: int = IMAGE_SIZE, split: Split = "test") -> list[EditCase]:
    """Return ``count`` instructions that only the picture makes clear, events and things taking turns.

    Scenes and wordings are held out; wrong outcomes include what the instruction would mean for other things.
    """
    return [_ambiguous_case(side, number, seed, split) for number in range(count)]


@kept_at_world_size
def _ambiguous_case(side: int, number: int, seed: int, split: Split) -> EditCase:
    random = random_stream("benchmark", "ambiguous", split, seed, number)
    rules = ambiguous_rules()
    event, rule = rules[number % len(rules)]
    while True:
        drawn = sample_ambiguous_edit(random, split, event, rule, held_out_wording=split == "test")
        if not shows(drawn.edit):
            continue
        wrong = [*others_outcomes(random, drawn), *wrong_outcomes(random, drawn.edit)]
        identifier = f"ambiguous-{seed}-{number:05d}"
        case = _case(identifier, drawn.edit, wrong, IMAGE_SIZE)
        if not is_guessed(case):
            case = case if side == IMAGE_SIZE else _case(identifier, drawn.edit, wrong, side)
            return replace(case, event=event.name)


def _telling_case(identifier: str, draw: Callable[[], Edit], random: np.random.Generator, side: int) -> EditCase:
    """Draw edits until one shows, for an object may stand hidden behind another, and no guess answers it."""
    while True:
        edit = draw()
        if shows(edit):
            wrong = wrong_outcomes(random, edit)
            case = _case(identifier, edit, wrong, IMAGE_SIZE)
            if not is_guessed(case):
                return case if side == IMAGE_SIZE else _case(identifier, edit, wrong, side)


def case_of_edit(identifier: str, edit: Edit, random: np.random.Generator) -> EditCase:
    """Return an edit that ``shows`` with its pictures; ``random`` draws some of the wrong outcomes."""
    return _case(identifier, edit, wrong_outcomes(random, edit), IMAGE_SIZE)


def _case(identifier: str, edit: Edit, wrong: Sequence[Scene], side: int) -> EditCase:
    drawn = picture_of if side == IMAGE_SIZE else partial(render, size=side)
    before, truth = drawn(edit.before), drawn(edit.after)
    return EditCase(
        id=identifier,
        category=edit.category,
        rule=edit.rule,
        instruction=edit.instruction,
        input_caption=edit.before.caption,
        output_caption=edit.after.caption,
        input_image=before,
        true_output=truth,
        wrong_outputs=np.stack([*map(drawn, wrong), *smeared_outcomes(before, truth)]),
        open_outputs=stacked_pictures(map(drawn, open_outcomes(edit))),
        changes=changed_thing(edit),
    )
