import re

import numpy as np
import pytest

from editfoundry.claims.rows.guidance import trade_off
from editfoundry.claims.rows.mllm_score import rank_correlation, shuffled_correlation
from editfoundry.claims.verdicts import MIN_ITEMS, all_of, in_doubt, is_above, is_below, items_to_decide
from editfoundry.evaluation.bootstrap import Interval

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"


@pytest.mark.parametrize(
    ("low", "high", "n", "expected"),
    [
        (0.1, 0.3, 50, HOLDS), (-0.1, 0.3, 50, UNDECIDED), (-0.3, -0.1, 50, FAILS), (0.0, 0.0, 50, FAILS),
        (0.1, 0.3, MIN_ITEMS - 1, UNDECIDED), (None, None, 0, UNDECIDED),
    ],
)  # fmt: skip
def test_a_claim_holds_where_the_whole_interval_lies_on_its_side_of_the_bound(low, high, n, expected):
    interval = Interval(None if low is None else (low + high) / 2, low, high, n)
    assert is_above(interval) == expected
    mirrored = Interval(interval.value, None if high is None else -high, None if low is None else -low, n)
    mirrored = mirrored if low is None else Interval(-interval.value, -high, -low, n)
    assert is_below(mirrored) == expected


def test_a_margin_moves_the_bound():
    interval = Interval(-0.02, -0.05, 0.01, 100)
    assert [is_above(interval, bound) for bound in (-0.1, 0.0, 0.02)] == [HOLDS, UNDECIDED, FAILS]


def test_a_whole_holds_only_with_all_its_parts_and_fails_with_one():
    assert all_of([HOLDS, HOLDS]) == HOLDS
    assert all_of([HOLDS, UNDECIDED]) == UNDECIDED
    assert all_of([HOLDS, UNDECIDED, FAILS]) == FAILS
    assert all_of([]) == UNDECIDED


def _sweep(slope, noise=0.01, num_items=40):
    scales = np.arange(1.0, 2.3, 0.2)[:, None]
    return slope * scales + np.random.default_rng(0).normal(0, noise, (7, num_items)) + np.linspace(0, 1, num_items)


FLAT = (_sweep(0.0), _sweep(0.0))


def test_the_trade_off_holds_where_image_rises_and_text_falls_at_every_step():
    assert trade_off(_sweep(0.3), _sweep(-0.2), seed=0, by_another=FLAT).verdict == HOLDS
    assert trade_off(_sweep(0.3), _sweep(0.2), seed=0, by_another=FLAT).verdict == FAILS
    assert trade_off(_sweep(0.0), _sweep(-0.2), seed=0, by_another=FLAT).verdict == UNDECIDED
    effect = trade_off(_sweep(0.3, noise=0.0), _sweep(-0.2), seed=0, by_another=FLAT).effect
    assert (effect.value, effect.n) == (pytest.approx(0.3), 40)
    dented = _sweep(0.3)
    dented[3] -= 0.5
    against = trade_off(dented, _sweep(-0.2), seed=0, by_another=FLAT)
    assert against.verdict == FAILS and re.search(r"from 1\.4 to 1\.6 \(clearly, by 0\.4\d+\)", against.note)


def test_the_rank_correlation_equals_scipys_and_its_interval_holds_it():
    from scipy.stats import spearmanr

    random = np.random.default_rng(1)
    right = (random.random((6, 80)) < np.array([0.0, 0.2, 0.2, 0.5, 0.7, 1.0])[:, None]).astype(float)
    judged = np.where(random.random((6, 80)) < 0.2, 1 - right, right)
    found = rank_correlation(judged, right, seed=0)
    assert found.value == pytest.approx(spearmanr(judged.mean(1), right.mean(1)).statistic)
    assert found.low <= found.value <= found.high
    assert found.n == 80
    judged[0, :5] = np.nan
    assert rank_correlation(judged, right, seed=0, num_resamples=20).n == 75
    assert rank_correlation(np.ones((6, 80)), right, seed=0, num_resamples=20).value == 0


def test_the_trade_off_by_another_instruction_stands_beside_it():
    found = trade_off(_sweep(0.3), _sweep(-0.2), seed=0, by_another=(_sweep(0.3), _sweep(0.0)))
    image, text = (control.interval for control in found.controls)
    assert image.low > 0.2 and text.low < 0 < text.high


def test_a_step_that_falls_by_chance_says_how_many_items_would_tell():
    dented = _sweep(0.3)
    dented[3] = dented[2] - 0.001 + np.random.default_rng(1).normal(0, 0.05, dented.shape[1])
    note = trade_off(dented, _sweep(-0.2), seed=0, by_another=FLAT).note
    assert re.search(r"from 1\.4 to 1\.6 \(about \d+ items would tell\)", note)


def test_four_times_the_items_halve_an_interval_and_decide_what_lies_half_as_far_away():
    assert items_to_decide(Interval(0.1, -0.1, 0.3, 50)) == 201
    assert items_to_decide(Interval(-0.1, -0.3, 0.1, 50)) == 201
    assert items_to_decide(Interval(0.1, 0.0, 0.2, 50), bound=0.05) == 201
    assert items_to_decide(Interval(0.0, -0.1, 0.1, 50)) is None
    assert items_to_decide(Interval(None, None, None, 0)) is None


def test_only_what_is_in_doubt_is_said_to_be():
    assert in_doubt("Gain", Interval(0.3, 0.2, 0.4, 50)) == ""
    assert "about 201 items would decide it" in in_doubt("Gain", Interval(0.1, -0.1, 0.3, 50))


def test_verdicts_dealt_by_chance_correlate_with_nothing():
    values = np.linspace(0, 1, 6)[:, None] * np.ones((6, 40))
    dealt = shuffled_correlation(values, values, seed=0, num_resamples=400)
    assert abs(dealt.value) < 0.1 and dealt.low < -0.5 < 0.5 < dealt.high
    assert rank_correlation(values, values, seed=0, num_resamples=50).value == pytest.approx(1)
