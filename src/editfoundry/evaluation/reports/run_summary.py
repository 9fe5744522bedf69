"""Boils a run down to ``summary.json``: means with intervals by category and branch, and paired differences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from editfoundry.evaluation.bootstrap import Interval, bootstrap_columns, bootstrap_interval
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.reports.run_results import OUTCOMES, RIGHT, SHARP, Run, ScoredItem, part_order, row_order


def summarise_run(run: Run, seed: int = 0) -> dict[str, Any]:
    """Return the layout of ``summary.json``.

    ``{"benchmark", "title", "num_items", "seed", "editors", "metrics", <editor>: {"overall": {metric: {"value", "low",
    "high", "n"}}, "by_category": {row: ...}, "num_items", "num_failed", "failures", "undefined": {metric: {reason:
    n}}}, "paired": {"B - A": ...}, "bounds": {"input": {metric: mean}, "truth": ...}, "failures"}``. ``by_branch`` and
    ``by_turn`` are there where a run has more than one, ``by_part`` (``"attribute: colour"``) where items have parts,
    an editor's ``outcomes`` where the truth is known. A difference is the mean of B minus A over the items that both
    have a score for. A metric without any score has n 0.

    Args:
        run: of one or more editors.
        seed: of the resampling.
    """
    metrics = list(run.metrics)
    summary: dict[str, Any] = {
        "benchmark": run.name,
        "title": run.benchmark.get("title", run.name),
        "num_items": run.benchmark.get("num_items", 0),
        "seed": seed,
        "editors": list(run.editors),
    }
    for editor, items in run.items.items():
        rows = list(items.values())
        failures = count_failures(rows)
        summary[editor] = {
            **by_part(rows, score_matrix(rows, metrics), metrics, seed, _infinite(rows, metrics)),
            "num_items": len(rows),
            "num_failed": sum(failures.values()),
            "failures": failures,
            "undefined": _count_undefined(rows),
            **_outcomes(rows),
        }
    summary["paired"] = {
        f"{after} - {before}": paired(run.items[before], run.items[after], metrics, seed)
        for before, after in combinations(run.editors, 2)
    }
    summary["failures"] = {editor: summary[editor]["failures"] for editor in run.editors}
    summary["bounds"] = _mean_bounds(run)
    if run.controls:
        summary["controls"] = control_summary(run, metrics, seed)
    summary["metrics"] = dict(run.metrics)
    summary["preservation_cap_db"] = PSNR_CAP
    return summary


def paired(
    before: Mapping[str, ScoredItem], after: Mapping[str, ScoredItem], metrics: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return the mean of ``after - before`` of each metric, over the items of both, by part of the benchmark."""
    common = [item_id for item_id in before if item_id in after]
    rows = [after[item_id] for item_id in common]
    difference = score_matrix(rows, metrics) - score_matrix([before[item_id] for item_id in common], metrics)
    return {**by_part(rows, difference, metrics, seed), "num_common": len(common)}


def score_matrix(items: Sequence[ScoredItem], metrics: Sequence[str]) -> np.ndarray:
    """Return ``(N, M)`` float64 scores, NaN where there is none; infinite PSNRs count as ``PSNR_CAP``.

    An edit that failed is not right, and not sharp: asked for and not delivered is wrong.
    """
    matrix = np.array([[_score(item, metric) for metric in metrics] for item in items], dtype=np.float64)
    return matrix.reshape(len(items), len(metrics))


def item_groups(items: Sequence[ScoredItem]) -> np.ndarray:
    """Return ``(N,)`` int64, the number of each item's group: turns of a session and prompts of a picture have one."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(item.group or item.id, len(numbers)) for item in items], dtype=np.int64)


def by_part(
    items: Sequence[ScoredItem],
    values: np.ndarray,
    metrics: Sequence[str],
    seed: int,
    infinite: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the columns' means with intervals, overall and by each way in which the benchmark is divided.

    Args:
        items: N, which say what part each row belongs to.
        values: ``(N, M)`` floats, NaN where missing.
        metrics: names of the M columns.
        seed: of the resampling.
        infinite: ``(N, M)`` bool, which values are capped; a mean over some says over how many, ``num_infinite``.
    """
    groups = item_groups(items)

    def measured(chosen: np.ndarray) -> dict[str, Any]:
        _, own_groups = np.unique(groups[chosen], return_inverse=True)
        intervals = bootstrap_columns(values[chosen], own_groups, seed=seed)
        means: dict[str, dict[str, Any]] = {m: i.to_dict() for m, i in zip(metrics, intervals, strict=True)}
        counts = [] if infinite is None else infinite[chosen].sum(axis=0)
        for metric, count in zip(metrics, counts, strict=False):
            if count:
                means[metric]["num_infinite"] = int(count)
        return means

    def divided(part: Callable[[ScoredItem], str], order: Sequence[str]) -> dict[str, Any]:
        parts = np.array([part(item) for item in items], dtype=object)
        return {name: measured(parts == name) for name in order}

    def divided_further(parts: Sequence[tuple[str, str]]) -> dict[str, Any]:
        return {
            f"{way}: {part}": measured(np.array([item.parts.get(way) == part for item in items])) for way, part in parts
        }

    branches = sorted({item.branch for item in items} - {""})
    turns = sorted({item.turn for item in items})
    parts = part_order(items)
    return {
        "overall": measured(np.ones(len(items), dtype=bool)),
        "by_category": divided(lambda item: item.row, row_order(items)),
        **({"by_branch": divided(lambda item: item.branch, branches)} if len(branches) > 1 else {}),
        **({"by_turn": divided(lambda item: str(item.turn), [str(t) for t in turns])} if len(turns) > 1 else {}),
        **({"by_part": divided_further(parts)} if parts else {}),
    }


def control_summary(run: Run, metrics: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what the controls got, and what is specific: right by the own instruction minus right by another's.

    ``{"editors": {editor: {control: {metric: interval}}}, "specific": {editor: interval}, "specific_paired": {"B - A":
    interval}}``; the last is the difference between editors of what is specific, item by item.
    """
    editors: dict[str, dict[str, Any]] = {editor: {} for editor in run.editors}
    for control, arms in run.controls.items():
        for editor, items in arms.items():
            rows = list(items.values())
            if rows:
                editors[editor][control] = by_part(rows, score_matrix(rows, metrics), metrics, seed)["overall"]
    specific = {
        editor: _specific(run.items[editor], items)
        for editor, items in run.controls.get(ANOTHER_INSTRUCTION, {}).items()
        if items and RIGHT in metrics
    }
    return {
        "editors": editors,
        "specific": {editor: _interval(run.items[editor], values, seed) for editor, values in specific.items()},
        "specific_paired": {
            f"{after} - {before}": _interval(
                run.items[after],
                {i: specific[after][i] - specific[before][i] for i in specific[before] if i in specific[after]},
                seed,
            )
            for before, after in combinations(specific, 2)
        },
    }


def _specific(own: Mapping[str, ScoredItem], other: Mapping[str, ScoredItem]) -> dict[str, float]:
    """Return item's id -> 1 where it is right by its own instruction alone, -1 by another's alone, 0 otherwise."""
    return {i: _score(own[i], RIGHT) - _score(item, RIGHT) for i, item in other.items() if i in own}


def _interval(items: Mapping[str, ScoredItem], values: Mapping[str, float], seed: int) -> dict[str, Any]:
    groups = item_groups([items[item_id] for item_id in values])
    return bootstrap_interval(np.array(list(values.values())), seed=seed, groups=groups).to_dict()


def count_failures(items: Sequence[ScoredItem]) -> dict[str, int]:
    """Return reason -> number of edits that failed for it."""
    return dict(sorted(Counter(item.failure for item in items if item.failure).items()))


def _count_undefined(items: Sequence[ScoredItem]) -> dict[str, dict[str, int]]:
    """Return metric -> reason -> number of edits for which the metric is not defined."""
    counts: dict[str, Counter[str]] = {}
    for item in items:
        for metric, reason in item.undefined.items():
            counts.setdefault(metric, Counter())[reason] += 1
    return {metric: dict(sorted(reasons.items())) for metric, reasons in counts.items()}


def _outcomes(items: Sequence[ScoredItem]) -> dict[str, Any]:
    """Return how many edits became what, where the truth is known."""
    counts = Counter(item.outcome for item in items)
    if not any(item.nearest for item in items):
        return {}
    return {"outcomes": {outcome: counts[outcome] for outcome in OUTCOMES}}


def _mean_bounds(run: Run) -> dict[str, dict[str, float]]:
    """Return ``input`` and ``truth`` -> metric -> mean over the items that have one."""
    found: dict[str, dict[str, list[float]]] = {}
    for bounds in run.bounds.values():
        for name, scores in bounds.items():
            for metric, score in scores.items():
                found.setdefault(name, {}).setdefault(metric, []).append(score)
    return {
        name: {metric: float(np.mean([_capped(score, metric) for score in scored])) for metric, scored in known.items()}
        for name, known in found.items()
    }


def no_interval() -> dict[str, Any]:
    """Return the interval of nothing at all."""
    return Interval(None, None, None, 0).to_dict()


def _score(item: ScoredItem, metric: str) -> float:
    score = item.scores.get(metric)
    if score is None:
        return 0.0 if metric in (RIGHT, SHARP) and item.failure else math.nan
    return _capped(score, metric)


def _capped(score: float, metric: str) -> float:
    return min(score, PSNR_CAP) if metric.endswith("psnr") else score


def _infinite(items: Sequence[ScoredItem], metrics: Sequence[str]) -> np.ndarray:
    rows = [[math.isinf(item.scores.get(metric, 0.0)) for metric in metrics] for item in items]
    return np.array(rows, dtype=bool).reshape(len(items), len(metrics))
