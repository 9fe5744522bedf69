"""Edits with the judgement they deserve."""

from dataclasses import replace

import numpy as np
import pytest

from editfoundry.pretraining.judged_pairs import SHARES, JudgedPair, flawed, sample_judged_pair
from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.edits import world_edit
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream

RULE = next(rule for rule in trained_rules() if rule.kind == "snowman")
SNOWMAN = SceneObject(kind="snowman", state=RULE.before, colour="white", position="left")
APPLE = SceneObject(kind="apple", state="whole", colour="red", position="right")
BEFORE = Scene(background=Background("meadow", "day", "winter"), objects=(SNOWMAN, APPLE))
EDIT = world_edit(BEFORE, 0, RULE, RULE.wordings[0])


def pair(output: Scene, **changes: object) -> JudgedPair:
    return replace(JudgedPair(kind="true", edit=EDIT, output=output), **changes)


def numbers(output: Scene, **changes: object) -> tuple[int, ...]:
    return tuple(pair(output, **changes).numbers.values())


def test_the_true_outcome_gets_the_best_of_everything():
    assert numbers(EDIT.after) == (5, 5, 5, 1)
    assert pair(EDIT.after).reasons["semantic_alignment"] == f"it shows {EDIT.after.objects[0].phrase}"
    assert pair(EDIT.after).reasons["identity_consistency"] == "all else is the same"


def test_an_outcome_that_did_not_come_about_is_out_of_alignment():
    assert numbers(BEFORE) == (1, 5, 5, 0)
    assert pair(BEFORE).reasons["semantic_alignment"] == f"it shows {SNOWMAN.phrase}"


OTHER_PLACE = replace(EDIT.after, background=Background("beach", "night"))
OTHER_APPLE = EDIT.after.with_object(1, colour="green")
MOVED = EDIT.after.with_object(0, position="middle")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (OTHER_PLACE, "the background differs"),
        (OTHER_APPLE, "the other thing differs"),
        (MOVED, "its place or colour differs"),
    ],
)
def test_one_other_difference_halves_identity_and_ends_success(output, reason):
    assert numbers(output) == (5, 3, 5, 0)
    assert pair(output).reasons["identity_consistency"] == reason


def test_a_thing_that_is_gone_or_another_costs_identity_more():
    gone = replace(BEFORE, objects=(APPLE,))
    other = replace(BEFORE, objects=(replace(SNOWMAN, kind="chair", state="upright", colour="brown"), APPLE))
    assert numbers(gone) == numbers(other) == (1, 2, 5, 0)
    assert numbers(replace(gone, background=OTHER_PLACE.background)) == (1, 1, 5, 0)
    assert numbers(replace(OTHER_APPLE, background=OTHER_PLACE.background))[:2] == (5, 2)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_quality_falls_with_the_flaws_level_and_success_ends_above_two(level):
    flawed_pair = pair(EDIT.after, flaw="noisy", level=level)
    assert tuple(flawed_pair.numbers.values()) == (5, 5, 5 - level, int(level <= 2))
    assert flawed_pair.reasons["image_quality"] == "noisy"


@pytest.mark.parametrize("flaw", ["blurred", "noisy"])
def test_a_higher_level_is_farther_from_the_picture(flaw):
    picture = render(BEFORE)
    distances = [np.abs(flawed(picture, flaw, n, 0).astype(int) - picture).mean() for n in range(1, 5)]
    assert distances == sorted(distances) and distances[0] > 0.5
    assert np.array_equal(flawed(picture, "", 0, 0), picture)


@pytest.mark.parametrize("kind", SHARES)
def test_drawn_pairs_deserve_what_their_kind_says_and_show_training_nothing_held_out(kind):
    expected = {
        "true": lambda n: n == (5, 5, 5, 1),
        "wrong": lambda n: n[0] == 1 and n[3] == 0,
        "unchanged": lambda n: n == (1, 5, 5, 0),
        "other object": lambda n: n[:2] == (1, 2),
        "something else changed": lambda n: n == (5, 3, 5, 0),
        "other picture": lambda n: n[1] <= 2 and n[3] == 0,
        "flawed": lambda n: n[:2] == (5, 5) and n[2] < 5,
    }[kind]
    for number in range(6):
        drawn = sample_judged_pair(random_stream("judged test", kind, number), "train", kind)
        assert expected(tuple(drawn.numbers.values())), drawn
        assert not is_held_out(drawn.edit.before) and not is_held_out(drawn.output)
        assert drawn.edit.instruction in next(r for r in trained_rules() if r.name == drawn.edit.rule).wordings


def test_a_pair_depends_on_its_key_alone():
    first, second = (sample_judged_pair(random_stream("judged test", 7), "test") for _ in range(2))
    assert first == second and is_held_out(first.edit.before)
