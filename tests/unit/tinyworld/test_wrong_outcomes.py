"""Wrong outcomes: plausible, and told from the truth wherever things change."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from editfoundry.tinyworld.backgrounds import Background
from editfoundry.tinyworld.benchmark import world_cases
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.rules import all_rules
from editfoundry.tinyworld.scene import POSITIONS, SIZES, Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.wrong_outcomes import (
    MIN_DIFFERING_SHARE,
    changed_thing,
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
        assert len(wrong) >= 12
        region = changed_region(before, truth)
        told_apart = [*combinations([before, truth, *wrong[:3]], 2), *product([before, truth], wrong)]
        for first, second in told_apart:
            assert changed_region(first, second)[region].mean() >= MIN_DIFFERING_SHARE, edit.instruction


def test_the_first_few_alone_are_the_first_of_all() -> None:
    for number, edit in enumerate(edits()[:6]):
        first = wrong_outcomes(random_stream(number), edit, 3)
        assert len(first) == 3 and first == wrong_outcomes(random_stream(number), edit)[:3]


def is_told_apart(scene: Scene, edit: Edit) -> bool:
    """Whether the scene differs from input and true outcome where things change."""
    pictures = [render(edit.before), render(edit.after)]
    region = changed_region(*pictures)
    return all(changed_region(render(scene), p)[region].mean() >= MIN_DIFFERING_SHARE for p in pictures)


def test_the_thing_otherwise_or_gone_is_a_wrong_outcome_wherever_one_sees_it() -> None:
    seen = 0
    for rule in all_rules()[::7]:
        edit = sample_world_edit(random_stream("states", rule.name), "test", rule)
        assert edit.index is not None
        index, kind = edit.index, KINDS[rule.kind]
        wrong = wrong_outcomes(random_stream("states"), edit)
        for scene in (edit.before, edit.after):
            others: dict[str, Sequence[str]] = {"state": kind.states, "colour": kind.colours}
            others |= {"position": POSITIONS, "size": list(SIZES)}
            changed = [scene.with_object(index, **{name: v}) for name, values in others.items() for v in values]
            changed.append(replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :]))
            told_apart = [one for one in changed if is_told_apart(one, edit)]
            assert all(one in wrong for one in told_apart), rule.name
            seen += len(told_apart)
    assert seen > 50


def test_the_first_wrong_outcome_of_a_thing_is_another_of_its_states() -> None:
    for rule in all_rules()[::7]:
        edit = sample_world_edit(random_stream("states", rule.name), "test", rule)
        assert edit.index is not None
        states = [edit.before.with_object(edit.index, state=state) for state in KINDS[rule.kind].states]
        if told_apart := [scene for scene in states if is_told_apart(scene, edit)]:
            assert wrong_outcomes(random_stream("states"), edit, 1)[0] in told_apart


def test_another_thing_stands_where_and_as_large_as_the_one_whose_place_it_takes() -> None:
    seen = 0
    for rule in all_rules()[::7]:
        edit = sample_world_edit(random_stream("states", rule.name), "test", rule)
        assert edit.index is not None
        thing, count = edit.before.objects[edit.index], len(edit.before.objects)
        wrong = wrong_outcomes(random_stream("others"), edit)
        # A rule changes a state alone, so another kind is always one that was drawn.
        others = [scene.objects[edit.index] for scene in wrong if len(scene.objects) == count]
        others = [other for other in others if other.kind != thing.kind]
        for other in others:
            assert replace(other, kind=thing.kind, state=thing.state, colour=thing.colour) == thing
        seen += len(others)
    assert seen > 5


def background_edits() -> list[Edit]:
    drawn = [sample_plain_edit(random_stream("background", n), "test", "change") for n in range(120)]
    return [edit for edit in drawn if edit.before.background != edit.after.background][:4]


def test_wrong_backgrounds_are_of_the_same_place_first_and_keep_the_things() -> None:
    assert len(background_edits()) == 4
    for number, edit in enumerate(background_edits()):
        asked, wrong = edit.after.background, wrong_outcomes(random_stream(number), edit)
        assert len(wrong) >= 12 and all(is_told_apart(scene, edit) for scene in wrong)
        assert {scene.objects for scene in wrong} == {edit.before.objects}
        backgrounds = [scene.background for scene in wrong]
        assert len(set(backgrounds)) == len(wrong) and asked not in backgrounds
        unlike = [
            (b.place != asked.place, (b.time != asked.time) + (b.season != asked.season)) for b in backgrounds[3:]
        ]
        assert unlike == sorted(unlike) and not unlike[0][0]


def test_what_an_edit_changes_is_named() -> None:
    assert {changed_thing(edit) for edit in background_edits()} == {"background"}
    for number, category in enumerate(("add", "remove")):
        edit = sample_plain_edit(random_stream("named", number), "test", category)
        more, fewer = sorted((edit.before, edit.after), key=lambda scene: -len(scene.objects))
        [thing] = [thing for thing in more.objects if thing not in fewer.objects]
        assert changed_thing(edit) == thing.kind
    rule = all_rules()[3]
    assert changed_thing(sample_world_edit(random_stream("named"), "test", rule)) == rule.kind


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
