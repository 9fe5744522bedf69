import numpy as np
import pytest
from scipy import stats

from editfoundry.evaluation import bootstrap
from editfoundry.evaluation.bootstrap import (
    Interval,
    bootstrap_columns,
    bootstrap_interval,
    group_difference,
    paired_difference,
)


def test_the_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=300)
    ours = bootstrap_interval(values, seed=0, num_resamples=5000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=2).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_the_interval_of_a_rate_is_near_the_normal_approximation() -> None:
    interval = bootstrap_interval(np.array([1.0] * 200 + [0.0] * 200), seed=0)
    half = 1.96 * np.sqrt(0.25 / 400)
    assert interval.low == pytest.approx(0.5 - half, abs=0.005)
    assert interval.high == pytest.approx(0.5 + half, abs=0.005)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_missing_values_are_left_out_and_not_counted() -> None:
    assert bootstrap_interval(np.array([1.0, np.nan, 1.0]), seed=0) == Interval(1.0, 1.0, 1.0, 2)
    assert bootstrap_interval(np.array([np.nan]), seed=0) == Interval(None, None, None, 0)


def test_a_constant_gain_over_noisy_items_has_a_paired_interval_of_no_width() -> None:
    first = np.random.default_rng(0).normal(size=100)
    difference = paired_difference(first, first + 0.25, seed=0)
    assert (difference.low, difference.high) == (pytest.approx(0.25), pytest.approx(0.25))


def test_a_pair_with_one_missing_side_is_left_out() -> None:
    assert paired_difference(np.array([0.0, np.nan]), np.array([1.0, 1.0]), seed=0).n == 1


def test_columns_of_single_items_have_the_intervals_of_each_column_alone():
    values = np.random.default_rng(0).normal(size=(40, 2))
    for column, interval in enumerate(bootstrap_columns(values, np.arange(40), seed=3)):
        alone = bootstrap_interval(values[:, column], seed=3)
        assert (interval.value, interval.low, interval.high) == pytest.approx((alone.value, alone.low, alone.high))


def test_items_of_a_group_are_drawn_together():
    sessions = np.random.default_rng(1).normal(size=30)
    repeated = np.repeat(sessions, 4)[:, None]
    (together,) = bootstrap_columns(repeated, np.repeat(np.arange(30), 4), seed=0)
    (apart,) = bootstrap_columns(repeated, np.arange(120), seed=0)
    of_sessions = bootstrap_interval(sessions, seed=0)
    # Four turns that say the same are worth one.
    assert (together.low, together.high) == pytest.approx((of_sessions.low, of_sessions.high))
    assert together.n == 120
    assert (apart.high - apart.low) < 0.6 * (together.high - together.low)


def test_a_difference_of_two_sides_is_that_of_their_means_and_as_wide_as_the_normal_approximation_says():
    random = np.random.default_rng(2)
    is_first = np.repeat([True, False], [400, 600])
    values = np.where(is_first, random.normal(3.0, 2.0, 1000), random.normal(1.0, 1.0, 1000))
    found = group_difference(values, is_first, np.arange(1000), seed=0)
    error = np.sqrt(np.var(values[is_first]) / 400 + np.var(values[~is_first]) / 600)
    assert found.value == pytest.approx(values[is_first].mean() - values[~is_first].mean())
    assert (found.low, found.high) == pytest.approx((found.value - 1.96 * error, found.value + 1.96 * error), abs=0.03)


def test_groups_that_lie_on_both_sides_take_their_own_level_out_of_the_difference():
    levels = np.random.default_rng(3).normal(0.0, 10.0, 50)
    values, is_first = np.repeat(levels, 2) + np.tile([1.0, 0.0], 50), np.tile([True, False], 50)
    together = group_difference(values, is_first, np.repeat(np.arange(50), 2), seed=0)
    assert (together.value, together.low, together.high) == pytest.approx((1.0, 1.0, 1.0))
    apart = group_difference(values, is_first, np.arange(100), seed=0)
    assert apart.low < 0 < apart.high


def test_without_a_second_side_there_is_no_difference():
    assert group_difference(np.ones(3), np.ones(3, dtype=bool), np.arange(3), seed=0).value is None


def test_resamples_that_are_drawn_in_parts_are_those_of_one_draw(monkeypatch: pytest.MonkeyPatch):
    values, groups = np.random.default_rng(0).normal(size=(30, 2)), np.repeat(np.arange(10), 3)
    whole = bootstrap_columns(values, groups, seed=3, num_resamples=100)
    # Ten groups: of 70 numbers at once seven resamples, of nine none, and one is drawn all the same.
    for draws_at_once in (70, 9):
        monkeypatch.setattr(bootstrap, "_MAX_DRAWS_AT_ONCE", draws_at_once)
        assert bootstrap_columns(values, groups, seed=3, num_resamples=100) == whole


def test_an_interval_as_plain_data_has_its_four_numbers():
    assert Interval(0.5, 0.25, 0.75, 8).to_dict() == {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}


def test_columns_leave_missing_values_out_and_count_the_rest():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    first, second = bootstrap_columns(values, np.arange(3), seed=0)
    assert (first.value, first.n) == (2.0, 2)
    assert 1.0 <= first.low <= first.high <= 3.0
    assert second == Interval(None, None, None, 0)
    assert bootstrap_columns(np.zeros((0, 1)), np.zeros(0, dtype=int), seed=0) == [Interval(None, None, None, 0)]
