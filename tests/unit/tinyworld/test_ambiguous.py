"""Instructions that only the picture makes clear."""

import re
from collections import Counter

import numpy as np
import pytest

from editfoundry.evaluation.benchmarks.tinyworld import AMBIGUOUS, item_of_case
from editfoundry.evaluation.controls import another_items
from editfoundry.tinyworld.ambiguous import EVENTS, ambiguous_rules, text_only_bound
from editfoundry.tinyworld.benchmark import ambiguous_cases
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.outcome import defect, judge_outcome
from editfoundry.tinyworld.rules import trained_rules

COUNT = len(ambiguous_rules())


@pytest.fixture(scope="module")
def cases() -> list[EditCase]:
    return ambiguous_cases(COUNT, seed=0)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_an_event_means_different_outcomes_on_at_least_four_things_and_names_none(event) -> None:
    assert len({rule.kind for rule in event.rules}) >= 4
    assert len({(rule.kind, rule.before) for rule in event.rules}) == len(event.rules)
    named = {word for kind in KINDS for word in kind.split()} - {"ice"}
    for wording in (*event.wordings, *event.held_out_wordings):
        assert not named & set(re.findall(r"\w+", wording.lower()))
    assert not set(event.wordings) & set(event.held_out_wordings)


def test_no_wording_is_of_two_events_or_of_a_rule() -> None:
    said = [wording for event in EVENTS for wording in (*event.wordings, *event.held_out_wordings)]
    assert len(set(said)) == len(said)
    assert not set(said) & {w for rule in trained_rules() for w in (*rule.wordings, *rule.held_out_wordings)}


def test_from_the_text_alone_hardly_more_than_one_case_in_five_can_be_guessed() -> None:
    assert text_only_bound(ambiguous_rules()) == len(EVENTS) / COUNT < 0.21


def test_cases_cover_all_events_with_held_out_wordings_and_are_answered_by_the_truth_alone(cases) -> None:
    counted = Counter(case.event for case in cases)
    assert counted == {event.name: len(event.rules) for event in EVENTS}
    held_out = {wording for event in EVENTS for wording in event.held_out_wordings}
    for case in cases:
        assert case.instruction in held_out and defect(case) is None
        assert judge_outcome(case.true_output, case).right and not judge_outcome(case.input_image, case).right


def test_what_it_would_mean_for_another_thing_is_a_wrong_outcome(cases) -> None:
    for case in cases:
        event = next(event for event in EVENTS if event.name == case.event)
        kind = case.rule.partition(":")[0]
        others = [rule for rule in event.rules if rule.kind != kind]
        assert len(case.wrong_outputs) >= 12 + min(2, len(others))
        first = case.wrong_outputs[0]
        assert not judge_outcome(first, case).right
        outside = (case.input_image == case.true_output).all(-1)
        # Another thing stands where the thing stood, before the same background.
        assert (first == case.true_output).all(-1)[outside].mean() > 0.5


def test_the_event_touches_one_thing_of_a_scene(cases) -> None:
    for case in cases:
        event = next(event for event in EVENTS if event.name == case.event)
        scene = scene_from_caption(case.input_caption)
        assert sum(event.applies_to(thing.kind, thing.state) for thing in scene.objects) == 1


def test_another_items_instruction_is_never_the_same_event_in_other_words(cases) -> None:
    items = [item_of_case(case) for case in cases]
    for item, other in zip(items, another_items(items), strict=True):
        assert other is not None and item.case.event != other.case.event


def test_the_benchmark_says_what_the_text_alone_is_worth() -> None:
    benchmark = AMBIGUOUS.draw(9, 3)
    again = AMBIGUOUS.draw(9, 3)
    assert benchmark.facts["text_only_bound"] == pytest.approx(8 / 9, abs=1e-3)
    assert all(
        np.array_equal(a.case.true_output, b.case.true_output)
        for a, b in zip(benchmark.items, again.items, strict=True)
    )


def test_training_triplets_show_training_scenes_in_training_wordings(tmp_path) -> None:
    from editfoundry.data.shards import read_triplets
    from editfoundry.pretraining.ambiguous_triplets import write_ambiguous_triplets
    from editfoundry.tinyworld.rules import trained_rules
    from editfoundry.tinyworld.scene_sampling import is_held_out

    write_ambiguous_triplets(tmp_path, 24, seed=1)
    triplets = list(read_triplets(tmp_path))
    trained = {wording for event in EVENTS for wording in event.wordings}
    ambiguous = [triplet for triplet in triplets if triplet.instruction in trained]
    assert len(triplets) == 24 and len(ambiguous) > 12
    assert {triplet.category for triplet in triplets if triplet not in ambiguous} <= {"add", "change", "remove"}
    assert not any(is_held_out(scene_from_caption(triplet.output_caption)) for triplet in ambiguous)
    # What an instruction leaves to the picture, the expressive one says.
    outright = {rule.wordings[0] for rule in trained_rules()}
    assert {triplet.expressive_instruction for triplet in ambiguous} <= outright
    assert all(triplet.expressive_instruction for triplet in triplets)
