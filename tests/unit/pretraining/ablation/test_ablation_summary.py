"""Shares, intervals and differences of arms whose outcomes are known."""

import numpy as np
import pytest

from editfoundry.pretraining.ablation.ablation_summary import kept_difference, summarize
from editfoundry.pretraining.ablation.outcomes import ArmOutcomes

NAN = np.nan


def arm(right, kept, identity=None):
    count = len(right)
    identity = np.zeros(count) if identity is None else np.array(identity)
    return ArmOutcomes(
        right=np.array(right, float), kept=np.array(kept, float), identity=identity, preservation=np.full(count, 20.0)
    )


FULL = arm([1, 1, 1, 0, 0, NAN], [1, 1, 0, 1, 0, NAN], [0.9, 0.9, 0.9, NAN, NAN, NAN])
OTHER = arm([1, 0, 0, 0, 0, 1], [1, 1, 1, 1, 0, 1], [0.8, 0.8, 0.8, 0.8, NAN, NAN])


def test_shares_are_of_all_made_of_kept_and_of_dropped():
    numbers = summarize(FULL, FULL, seed=0)
    assert numbers["num_made"] == 5
    shares = {
        name: (numbers[name]["value"], numbers[name]["n"])
        for name in ("right_share", "right_share_of_kept", "right_share_of_dropped", "kept_share")
    }
    assert shares == {
        "right_share": (pytest.approx(3 / 5), 5),
        "right_share_of_kept": (pytest.approx(2 / 3), 3),
        "right_share_of_dropped": (pytest.approx(1 / 2), 2),
        "kept_share": (pytest.approx(3 / 5), 5),
    }


def test_an_arm_does_not_differ_from_itself():
    differences = summarize(FULL, FULL, seed=0)["difference_from_full"]
    for interval in differences.values():
        assert (interval["value"], interval["low"], interval["high"]) == (0, 0, 0)


def test_differences_are_of_the_quadruples_that_both_arms_made():
    difference = summarize(OTHER, FULL, seed=0)["difference_from_full"]
    assert (difference["right_share"]["value"], difference["right_share"]["n"]) == (pytest.approx(-2 / 5), 5)
    assert (difference["identity"]["value"], difference["identity"]["n"]) == (pytest.approx(-0.1), 3)


def test_the_difference_of_kept_shares_compares_what_each_arm_keeps():
    interval = kept_difference(FULL, OTHER, seed=0)
    assert interval.value == pytest.approx(2 / 5 - 2 / 3)
    assert interval.low <= interval.value <= interval.high


def test_its_interval_covers_a_true_difference_and_excludes_nothing_when_there_are_many():
    random = np.random.default_rng(0)
    right = random.random((2, 2000)) < np.array([[0.8], [0.6]])
    kept = random.random((2, 2000)) < 0.5
    interval = kept_difference(*(arm(r, k) for r, k in zip(right, kept, strict=True)), seed=0)
    # Two independent shares of about 1000: the standard error is sqrt(.8 * .2 / 1000 + .6 * .4 / 1000) = 0.02.
    assert interval.low < -0.2 < interval.high < 0
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.02, rel=0.15)


def test_an_arm_that_keeps_nothing_has_no_difference():
    nothing = arm([1, 0, 1, 0, 0, 1], [0] * 6)
    assert kept_difference(FULL, nothing, seed=0).value is None
    assert summarize(nothing, FULL, seed=0)["right_share_of_kept"]["value"] is None
