import pytest
from gate_projects import outcomes, rows

from editfoundry.errors import BadInputError
from editfoundry.retraining.comparison import compare, rows_of, same_cases


def test_a_clear_gain_is_better_and_a_clear_loss_worse():
    [gain] = compare(rows("new", outcomes(40)), rows("old", outcomes(10)))
    [loss] = compare(rows("new", outcomes(10)), rows("old", outcomes(40)))
    assert gain.differences["correct"].value == pytest.approx(0.5)
    assert (gain.is_better, gain.is_worse) == (True, False)
    assert (loss.is_better, loss.is_worse) == (False, True)


def test_one_case_more_is_neither():
    [comparison] = compare(rows("new", outcomes(11)), rows("old", outcomes(10)))
    assert comparison.differences["correct"].value > 0
    assert not comparison.is_better and not comparison.is_worse


def test_pairs_are_made_by_case_not_by_place():
    new, old = rows("new", outcomes(30)), rows("old", outcomes(30))
    [comparison] = compare(new, old[::-1])
    assert comparison.differences["correct"].low == comparison.differences["correct"].high == 0


def test_other_noise_is_another_case():
    new, old = rows("new", outcomes(30)), rows("old", outcomes(10), seed=2)
    assert not same_cases(new, old)
    with pytest.raises(BadInputError, match="not evaluated on the same cases"):
        compare(new, old)


def test_where_no_truth_is_known_every_measured_score_must_be_better():
    def scored(clip, mllm):
        return [{**row, "correct": None, "clip_score": clip + n / 1000, "mllm_score": mllm + n / 1000}
                for n, row in enumerate(rows("any", outcomes(0)))]  # fmt: skip

    [both] = compare(scored(0.6, 3.0), scored(0.5, 2.0))
    [one] = compare(scored(0.6, 2.0), scored(0.5, 3.0))
    assert set(both.differences) == {"clip_score", "mllm_score"}
    assert both.is_better and not one.is_better and one.is_worse


def test_the_first_benchmark_stays_first():
    new = rows("new", outcomes(9)) + rows("new", outcomes(9), "plain")
    assert [c.benchmark for c in compare(new, list(reversed(new)))] == ["tinyworld-world", "plain"]


def test_a_report_without_the_editor_is_one_clear_line():
    with pytest.raises(BadInputError, match="no cases of the editor 'fine_tuned'"):
        rows_of(rows("base", outcomes(1)), "fine_tuned")
