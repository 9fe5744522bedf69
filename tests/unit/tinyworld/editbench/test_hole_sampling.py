"""Items of tinyworld's EditBench: prompts that name what is asked, holes that do not tell it, and variants."""

from dataclasses import replace

import numpy as np
import pytest

from editfoundry.tinyworld.editbench.hole import ATTRIBUTES
from editfoundry.tinyworld.editbench.hole_cases import draw_hole
from editfoundry.tinyworld.editbench.hole_reading import read_hole
from editfoundry.tinyworld.editbench.hole_sampling import NUM_OTHER_KINDS, TESTED, sample_hole
from editfoundry.tinyworld.outcome import asked_attributes, check_case, judge_outcome
from editfoundry.tinyworld.scene import render
from editfoundry.tinyworld.scene_sampling import is_held_out

COUNT = 20
ITEMS = [sample_hole(number, seed=0) for number in range(COUNT)]


@pytest.fixture(scope="module")
def drawn():
    return [draw_hole(number, seed=0) for number in range(10)]


def test_attributes_take_turns_and_half_of_the_items_are_combinations_that_training_never_shows():
    assert [item.attribute for item in ITEMS] == [*TESTED] * (COUNT // len(TESTED))
    assert sum(item.object == "rare" for item in ITEMS) == COUNT // 2
    assert all(is_held_out(item.scene) == (item.object == "rare") for item in ITEMS)
    assert {len(item.things) for item in ITEMS if item.attribute == "count"} == {1, 2}


def test_the_same_seed_draws_the_same_items_and_another_one_others():
    again, other = sample_hole(3, seed=0), sample_hole(3, seed=1)
    assert again.name == ITEMS[3].name and (again.mask == ITEMS[3].mask).all() and again.scene == ITEMS[3].scene
    assert other.scene != ITEMS[3].scene


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_mask_simple_names_the_attribute_and_a_full_prompt_everything(item):
    (simple, simply_asked), (rich, all_asked), (full, _) = item.prompts.values()
    assert simply_asked == ("object", item.attribute) and set(simply_asked) <= set(all_asked) <= set(ATTRIBUTES)
    assert all(thing.kind in simple for thing in item.things)
    assert full.endswith(item.scene.background.phrase)
    if item.attribute == "colour":
        assert item.things[0].colour in simple
    if item.attribute == "size":
        assert item.things[0].size in simple and item.things[0].size in full
    if "colour" in all_asked:
        assert all(thing.colour in rich for thing in item.things)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_the_hole_covers_what_stood_there_and_leaves_the_rest_as_it_was(item):
    there, gone = render(item.scene), render(item.around)
    assert (there[~item.mask] == gone[~item.mask]).all()
    assert 0.02 < item.mask.mean() <= 0.6


@pytest.mark.parametrize("item", [ITEMS[number] for number in (0, 1, 2, 3, 4, 9)], ids=lambda item: item.name)
def test_each_variant_is_wrong_in_the_attribute_that_it_is_labelled_with(item):
    asked = tuple(dict.fromkeys(["object", item.attribute]))
    hole = item.hole(asked)
    whole = replace(hole, mask=np.ones_like(hole.mask))
    labels = [variant.wrong for variant in item.variants]
    assert labels.count("object") == NUM_OTHER_KINDS and item.attribute in labels
    for variant in item.variants:
        if variant.wrong in asked:
            rights = hole.rights(read_hole(render(hole.scene_with(variant.things)), whole).things)
            assert not rights[variant.wrong], variant


def test_the_truth_is_sharp_and_an_empty_hole_noise_and_flat_colour_get_nothing_right(drawn):
    random = np.random.default_rng(0)
    for one in drawn:
        for _, case in one.cases():
            check_case(case)
            assert judge_outcome(case.true_output, case).sharp
            assert asked_attributes(case.true_output, case) == dict.fromkeys(case.hole.asked, True)
            empty = judge_outcome(case.input_image, case)
            assert empty.nearest == "input" and empty.error == pytest.approx(1)
            noise = random.integers(0, 256, case.input_image.shape, dtype=np.uint8)
            flat = np.full_like(case.input_image, case.true_output[~one.mask].mean())
            for guess in (case.input_image, noise, flat):
                assert not any(asked_attributes(guess, case).values())


def test_wrong_outcomes_are_variants_of_what_the_prompt_names(drawn):
    for one in drawn:
        for _, case in one.cases():
            named = [variant for variant in one.item.variants if variant.wrong in case.hole.asked]
            assert len(case.wrong_outputs) == len(named) >= 12


def test_larger_pictures_have_the_same_hole_at_their_size():
    small, large = draw_hole(0, 0), draw_hole(0, 0, side=128)
    assert large.truth.shape == (128, 128, 3)
    assert (large.mask[::2, ::2] == small.mask).all()
    assert judge_outcome(large.truth, next(large.cases())[1]).sharp
