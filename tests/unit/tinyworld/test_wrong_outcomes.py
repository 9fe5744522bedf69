"""Wrong outcomes: plausible, and told from the truth wherever things change."""

from itertools import combinations

import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.rules import all_rules
from editfoundry.tinyworld.scene import Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.wrong_outcomes import MIN_DIFFERING_SHARE, NUM_WRONG_OUTCOMES, shows, wrong_outcomes

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
        assert len(wrong) == NUM_WRONG_OUTCOMES
        region = changed_region(before, truth)
        for first, second in combinations([before, truth, *wrong], 2):
            assert changed_region(first, second)[region].mean() >= MIN_DIFFERING_SHARE, edit.instruction


def test_wrong_outcomes_depend_on_nothing_but_the_stream() -> None:
    edit = edits()[0]
    assert wrong_outcomes(random_stream(1), edit) == wrong_outcomes(random_stream(1), edit)


@pytest.mark.parametrize(("objects", "visible"), [((HIDDEN,), True), ((HIDDEN, HOUSE), False)])
def test_an_edit_behind_another_object_does_not_show(objects: tuple[SceneObject, ...], visible: bool) -> None:
    scene = Scene(background=Background("meadow"), objects=objects)
    removed = Scene(background=Background("meadow"), objects=objects[1:])
    edit = Edit(before=scene, after=removed, instruction="Remove the egg.", category="remove", index=0)
    assert shows(edit) is visible
