import numpy as np
import pytest
from scipy import stats

from editfoundry.evaluation.bootstrap import Interval, bootstrap_interval, paired_difference


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
