"""EditWorld, section 5.1: a multimodal model's verdict orders editors as the truth does."""

from __future__ import annotations

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import NUM_RESAMPLES, Interval, bootstrap_interval
from editfoundry.evaluation.contestants import Contestant
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.pretrained.judge_model import load_judge_model

ROLE = "vision_language_model"
MIN_CORRELATION = 0.5
_SHUFFLED = "Each item's verdicts dealt to its editors by chance"
EDITORS = ("input", "base", "sdedit", "prompt-to-prompt", "truth")
"""Beside EditWorld's editor."""


def _orders_editors(bench: Workbench) -> Finding:
    bench.profile.model(ROLE)
    seed = bench.config.seed
    benchmark = read_benchmark("tinyworld-world", num_items=bench.config.num_judged_items, seed=seed)
    judge = MetricModels({ROLE: load_judge_model(bench.profile, bench.runtime)})
    arms = {
        name: bench.scores(contestant, benchmark, lambda: judge, (ROLE,), with_control=False)
        for name, contestant in _contestants(bench).items()
    }
    judged, right = (np.stack([arm.of(metric) for arm in arms.values()]) for metric in ("mllm_bit", RIGHT))
    effect = rank_correlation(judged, right, seed)
    details = [
        Detail(label=f"{title}, {name}", interval=bootstrap_interval(row, seed=seed), is_difference=False)
        for title, rows in (("MLLM score", judged), ("Outcome accuracy", right))
        for name, row in zip(arms, rows, strict=True)
    ]
    return Finding(
        effect=effect,
        verdict=is_above(effect, MIN_CORRELATION),
        controls=(Detail(label=_SHUFFLED, interval=shuffled_correlation(judged, right, seed), is_difference=True),),
        details=tuple(details),
        note=in_doubt("Correlation", effect, MIN_CORRELATION),
    )


def _contestants(bench: Workbench) -> dict[str, Contestant]:
    own = {"base": "base", "editworld": bench.editworld()}
    others = {name: bench.contestant(name) for name in EDITORS if name not in own}
    return others | {name: bench.contestant(source, own_guidance=True) for name, source in own.items()}


def shuffled_correlation(
    first: np.ndarray, second: np.ndarray, seed: int, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Return the correlation where each item's verdicts are dealt to its editors by chance: what knowing nothing gets.

    Args:
        first: ``(E, N)``: E editors, N items; NaN where missing. Its values are dealt.
        second: ``(E, N)``, the same editors and items.
        seed: of the deals.
        num_resamples: deals.

    Returns:
        Mean and 95 % range over the deals.
    """
    first, second = (values[:, ~np.isnan(first + second).any(axis=0)] for values in (first, second))
    if first.shape[1] == 0:
        return Interval(None, None, None, 0)
    random = np.random.default_rng(seed)
    dealt = (random.permuted(first, axis=0).mean(1) for _ in range(num_resamples))
    values = [_spearman(means, second.mean(1)) for means in dealt]
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(float(np.mean(values)), float(low), float(high), first.shape[1])


def rank_correlation(first: np.ndarray, second: np.ndarray, seed: int, num_resamples: int = NUM_RESAMPLES) -> Interval:
    """Return Spearman's correlation of editors' means by two metrics, with its interval over resampled items.

    Args:
        first: ``(E, N)``: E editors, N items; NaN where missing.
        second: ``(E, N)``, the same editors and items.
        seed: of the resampling.
        num_resamples: resamples of the items, the same ones for every editor and both metrics.
    """
    first, second = (values[:, ~np.isnan(first + second).any(axis=0)] for values in (first, second))
    count = first.shape[1]
    if count == 0:
        return Interval(None, None, None, 0)
    random = np.random.default_rng(seed)
    drawn = [random.integers(count, size=count) for _ in range(num_resamples)]
    values = [_spearman(first[:, d].mean(1), second[:, d].mean(1)) for d in drawn]
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(_spearman(first.mean(1), second.mean(1)), float(low), float(high), count)


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of ranks, ties sharing theirs; 0 where a metric tells no editor from another."""
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (first, second)]
    scale = np.sqrt(np.square(ranks[0]).sum() * np.square(ranks[1]).sum())
    return float(ranks[0] @ ranks[1] / scale) if scale else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    below = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    return np.asarray(below + (equal - 1) / 2)


MLLM_ORDERS_EDITORS = Claim(
    name="editworld-mllm-orders-editors",
    paper="EditWorld",
    sentence="The MLLM score orders editors as the ground truth does.",
    arms=("outcome accuracy, by tinyworld's truth", "MLLM score: share of edits that the model answers 1 for"),
    metric=f"Spearman's rank correlation of {len(EDITORS) + 1} editors' means: {', '.join(EDITORS)} and EditWorld.",
    rule=f"Holds where the interval lies above {MIN_CORRELATION:g}, fails where it lies at or below.",
    test=_orders_editors,
    limits="The paper has no ground truth to compare its MLLM score with.",
)
