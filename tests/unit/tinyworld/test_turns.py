"""Sessions of several edits: each turn follows from the one before, and what no turn touches stays."""

from __future__ import annotations

import numpy as np

from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.preservation import preservation_mse
from editfoundry.tinyworld.outcome import changed_region, check_case, judge_outcome
from editfoundry.tinyworld.turns import MIN_LEFT, NUM_TURNS, turn_cases


def test_each_turn_begins_with_the_true_outcome_of_the_one_before_it() -> None:
    turns = turn_cases(3 * NUM_TURNS, seed=0)
    assert [one.turn for one in turns] == 3 * list(range(NUM_TURNS))
    assert len({one.session for one in turns}) == 3 and len({one.case.id for one in turns}) == len(turns)
    for before, after in zip(turns, turns[1:], strict=False):
        if after.turn:
            assert np.array_equal(before.case.true_output, after.case.input_image)
    for one in turns:
        check_case(one.case)
        assert judge_outcome(one.case.true_output, one.case).right
        assert one.case.task in ("add", "local", "remove") and len(one.case.wrong_outputs) >= 12


def test_what_no_turn_touches_is_the_same_to_the_end_and_large_enough_to_see_drift_on() -> None:
    turns = turn_cases(2 * NUM_TURNS, seed=1)
    for start in (0, NUM_TURNS):
        first, last = turns[start].case, turns[start + NUM_TURNS - 1].case
        assert first.touched is None and last.touched is not None
        left = ~(last.touched | changed_region(last.input_image, last.true_output))
        assert left.mean() >= MIN_LEFT
        assert np.abs(first.input_image[left].astype(int) - last.true_output[left]).max() <= 8 * NUM_TURNS


def test_drift_is_measured_where_no_turn_changes_anything() -> None:
    last = turn_cases(NUM_TURNS, seed=2)[-1].case
    assert last.touched is not None
    edited = last.true_output.copy()
    edited[last.touched] = 0
    untouched = ~(last.touched | changed_region(last.input_image, last.true_output))
    first = preservation_mse(edited, last)
    assert first is not None and first < 8**2
    edited[untouched] = 255 - edited[untouched]
    second = preservation_mse(edited, last)
    assert second is not None and second > 20**2


def test_the_benchmark_has_sessions_of_turns() -> None:
    first = read_benchmark("tinyworld-turns", num_items=NUM_TURNS + 1, seed=3)
    assert [(item.group == first.items[0].group, item.turn) for item in first.items] == [
        *((True, turn) for turn in range(NUM_TURNS)),
        (False, 0),
    ]
    assert first.facts == {"seed": 3, "turns": NUM_TURNS}
