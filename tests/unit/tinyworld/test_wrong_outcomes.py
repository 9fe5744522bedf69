"""Wrong outcomes: plausible, and told from the truth wherever things change."""

from itertools import combinations, product

import numpy as np
import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.benchmark import world_cases
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.rules import all_rules
from editfoundry.tinyworld.scene import Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.wrong_outcomes import (
    MIN_DIFFERING_SHARE,
    NUM_WRONG_OUTCOMES,
    shows,
    smeared_outcomes,
    wrong_outcomes,
)

HIDDEN = SceneObject(kind="egg", state="whole", colour="white", size="small", ground=0.2)
HOUSE = SceneObject(kind="house", state="new", colour="red", ground=0.15)


def edits() -> list[Edit]:
    world = [sample_world_edit(random_stream("wrong", r.name), "test", r) for r in all_rules()[::5]]
    categories = ("add", "change", "remove")
    return world + [sample_plain_edit(random_stream("wrong", i), "test", categories[i % 3]) for i in range(15)]


def test_input_truth_and_wrong_outcomes_all_differ_where_things_change() -> None:
    for number, edit in enumerate(edits()):
        truth, before = render(edit.after), render(edit.before)
        wrong = [render(scene) for scene in wrong_outcomes(random_stream(number), edit)]
        assert len(wrong) >= NUM_WRONG_OUTCOMES
        region = changed_region(before, truth)
        told_apart = [*combinations([before, truth, *wrong[:3]], 2), *product([before, truth], wrong)]
        for first, second in told_apart:
            assert changed_region(first, second)[region].mean() >= MIN_DIFFERING_SHARE, edit.instruction


def test_the_first_few_alone_are_the_first_of_all() -> None:
    for number, edit in enumerate(edits()[:6]):
        first = wrong_outcomes(random_stream(number), edit, 3)
        assert len(first) == 3 and first == wrong_outcomes(random_stream(number), edit)[:3]


def test_every_other_state_of_the_thing_that_changes_visibly_is_a_wrong_outcome() -> None:
    for rule in all_rules()[::7]:
        edit = sample_world_edit(random_stream("states", rule.name), "test", rule)
        assert edit.index is not None
        truth = render(edit.after)
        region = changed_region(render(edit.before), truth)
        wrong = wrong_outcomes(random_stream("states"), edit)
        for state in KINDS[rule.kind].states:
            scene = edit.before.with_object(edit.index, state=state)
            pictures = (render(edit.before), truth)
            if all(changed_region(render(scene), p)[region].mean() >= MIN_DIFFERING_SHARE for p in pictures):
                assert scene in wrong, f"{rule.name}: {state}"


def test_an_edit_that_wipes_the_thing_out_is_a_wrong_outcome_unless_wiping_is_what_was_asked() -> None:
    case = world_cases("test", 1, seed=4)[0]
    region = changed_region(case.input_image, case.true_output)
    blurred, filled = smeared_outcomes(case.input_image, case.true_output)
    assert np.ptp(filled[region], axis=0).max() == 0 and np.array_equal(filled[~region], case.input_image[~region])
    assert blurred[region].std(axis=0).mean() < case.input_image[region].std(axis=0).mean()
    flat = np.full((8, 8, 3), 90, np.uint8)
    dotted = flat.copy()
    dotted[3:5, 3:5] = 255
    # Removing a dot from plain ground: blurring it away comes near the truth, and must not count against it.
    assert all(changed_region(p, flat)[3:5, 3:5].mean() >= MIN_DIFFERING_SHARE for p in smeared_outcomes(dotted, flat))


def test_wrong_outcomes_depend_on_nothing_but_the_stream() -> None:
    edit = edits()[0]
    assert wrong_outcomes(random_stream(1), edit) == wrong_outcomes(random_stream(1), edit)


@pytest.mark.parametrize(("objects", "visible"), [((HIDDEN,), True), ((HIDDEN, HOUSE), False)])
def test_an_edit_behind_another_object_does_not_show(objects: tuple[SceneObject, ...], visible: bool) -> None:
    scene = Scene(background=Background("meadow"), objects=objects)
    removed = Scene(background=Background("meadow"), objects=objects[1:])
    edit = Edit(before=scene, after=removed, instruction="Remove the egg.", category="remove", index=0)
    assert shows(edit) is visible
