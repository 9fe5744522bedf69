from pathlib import Path

import pytest
from gate_projects import outcomes, report

from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.evaluation.reports.run_results import parse_run
from editfoundry.retraining.comparison import EditorComparison, are_same_items, compare_editors, edits_of


def edits(found, benchmark="tinyworld-world", seed=1):
    """One editor's edits on one benchmark."""
    run = report({"mine": found}, benchmark, seed)["benchmarks"][benchmark]
    return edits_of([parse_run(run, Path("nowhere"), "metrics.json")], "mine")


def test_a_clear_gain_is_better_and_a_clear_loss_worse():
    [gain] = compare_editors(edits(outcomes(40)), edits(outcomes(10)))
    [loss] = compare_editors(edits(outcomes(10)), edits(outcomes(40)))
    assert gain.difference.value == pytest.approx(0.5)
    assert (gain.is_better, gain.is_worse) == (True, False)
    assert (loss.is_better, loss.is_worse) == (False, True)


def test_one_item_more_is_neither():
    [comparison] = compare_editors(edits(outcomes(11)), edits(outcomes(10)))
    assert comparison.difference.value > 0
    assert not comparison.is_better and not comparison.is_worse


@pytest.mark.parametrize(
    ("low", "high", "is_better", "is_worse"),
    [(0.001, 0.2, True, False), (0.0, 0.2, False, False), (-0.2, 0.0, False, False), (-0.2, -0.001, False, True)],
)
def test_an_interval_that_touches_zero_tells_nothing(low, high, is_better, is_worse):
    comparison = EditorComparison(benchmark="world", difference=Interval((low + high) / 2, low, high, 60))
    assert (comparison.is_better, comparison.is_worse) == (is_better, is_worse)


def test_a_comparison_says_its_interval_in_words_and_one_of_nothing_is_neither():
    found = EditorComparison(benchmark="world", difference=Interval(0.1, -0.05, 0.25, 60))
    assert str(found) == "world: right +0.100 [-0.050, +0.250] on 60 items"
    nothing = EditorComparison(benchmark="world", difference=Interval(None, None, None, 0))
    assert str(nothing) == "world: right ? [?, ?] on 0 items"
    assert (nothing.is_better, nothing.is_worse) == (False, False)


def test_pairs_are_made_by_item_not_by_place():
    new = edits(outcomes(30))
    turned = {name: dict(reversed(items.items())) for name, items in new.items()}
    [comparison] = compare_editors(new, turned)
    assert comparison.difference.low == comparison.difference.high == 0


def test_other_noise_is_another_item():
    new, old = edits(outcomes(30)), edits(outcomes(10), seed=2)
    assert not are_same_items(new, old)
    with pytest.raises(BadInputError, match="not evaluated on the same items"):
        compare_editors(new, old)


def test_a_benchmark_that_only_one_was_evaluated_on_makes_the_items_other_ones():
    new = edits(outcomes(30))
    assert not are_same_items(new, {**new, **edits(outcomes(3), "plain")})


def test_the_first_benchmark_stays_first():
    new = {**edits(outcomes(9)), **edits(outcomes(9), "plain")}
    old = dict(reversed(new.items()))
    assert [comparison.benchmark for comparison in compare_editors(new, old)] == ["tinyworld-world", "plain"]


def test_a_report_without_the_editor_is_one_clear_line():
    run = report({"base": outcomes(1)})["benchmarks"]["tinyworld-world"]
    with pytest.raises(BadInputError, match="no items of the editor 'fine_tuned'"):
        edits_of([parse_run(run, Path("nowhere"), "metrics.json")], "fine_tuned")
