"""What an instruction leaves open is no mistake."""

from dataclasses import replace

import numpy as np
import pytest

from editfoundry.tinyworld.benchmark import case_of_edit
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.open_outcomes import open_outcomes
from editfoundry.tinyworld.outcome import judge_outcome
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import Scene, render
from editfoundry.tinyworld.scene_sampling import GROUNDS, OFFSETS, random_stream
from editfoundry.tinyworld.wrong_outcomes import shows


def drawn(category: str, number: int) -> Edit:
    random = random_stream("open", category, number)
    while True:
        edit = sample_plain_edit(random, "test", category)
        if shows(edit):
            return edit


def moved(edit: Edit, number: int) -> Scene:
    """Return the outcome with the added thing at another place that its instruction allows."""
    random = random_stream("elsewhere", number)
    index = next(i for i, thing in enumerate(edit.after.objects) if thing not in edit.before.objects)
    return edit.after.with_object(index, dx=float(random.uniform(*OFFSETS)), ground=float(random.uniform(*GROUNDS)))


@pytest.mark.parametrize("number", range(8))
def test_a_thing_that_is_added_may_stand_anywhere_within_its_position(number: int) -> None:
    edit = drawn("add", number)
    case = case_of_edit("open", edit, random_stream("wrong", number))
    assert judge_outcome(render(moved(edit, number)), case).right
    assert judge_outcome(case.true_output, case).error == 0


def test_many_places_are_wrong_for_a_rule_that_knows_one_truth() -> None:
    edits = [drawn("add", number) for number in range(8)]
    cases = [case_of_edit("open", edit, random_stream("wrong", n)) for n, edit in enumerate(edits)]
    strict = [replace(case, open_outputs=None) for case in cases]
    rights = [
        judge_outcome(render(moved(edit, n)), case).right
        for n, (edit, case) in enumerate(zip(edits, strict, strict=True))
    ]
    assert np.mean(rights) < 0.75


def test_the_input_and_another_thing_are_no_answer_to_what_leaves_a_place_open() -> None:
    for number in range(8):
        edit = drawn("add", number)
        case = case_of_edit("open", edit, random_stream("wrong", number))
        assert not judge_outcome(case.input_image, case).right
        assert not any(judge_outcome(wrong, case).right for wrong in case.wrong_outputs)


def test_what_is_taken_away_or_follows_from_the_world_leaves_nothing_open() -> None:
    assert open_outcomes(drawn("remove", 0)) == []
    random = random_stream("open", "world")
    assert all(open_outcomes(sample_world_edit(random, "test", rule)) == [] for rule in trained_rules())
