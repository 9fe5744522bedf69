"""Boils an evaluation down to ``summary.json``: every metric, overall and by category, with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from editfoundry.evaluation.bootstrap import Interval, bootstrap_interval, paired_difference
from editfoundry.evaluation.cases import order_categories
from editfoundry.evaluation.evaluate import Evaluation, ItemResult
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.preservation import PSNR_CAP, capped_psnr

BASE = "base"
FINE_TUNED = "fine_tuned"
POST_EDITED = "post_edited"


def _correct(item: ItemResult) -> float:
    return float(item.correct)


def _clip_score(item: ItemResult) -> float:
    return np.nan if item.clip_score is None else item.clip_score


def _preservation(item: ItemResult) -> float:
    return np.nan if item.preservation_mse is None else capped_psnr(item.preservation_mse)


METRICS: Mapping[str, Callable[[ItemResult], float]] = {
    "outcome_accuracy": _correct,
    "clip_score": _clip_score,
    "preservation_psnr": _preservation,
}
"""Name -> an item's value, NaN where it has none."""


def summarise(evaluation: Evaluation, benchmark: str) -> dict[str, Any]:
    """Return the layout of ``summary.json`` for one benchmark.

    ``{"benchmark", "num_cases", <editor>: {"overall": {metric: {"value", "low", "high", "n"}},
    "by_category": {category: {metric: ...}}, "outcomes", "failures"}, "difference": {"overall", "by_category"}, ...}``.
    ``difference`` is fine-tuned minus base over the same cases, ``post_edit_difference`` post-edited minus fine-tuned;
    each is there when both editors are. Preservation is in decibels, capped item by item.

    Args:
        evaluation: results of one or more editors.
        benchmark: its name.
    """
    editors = list(evaluation.results)
    summary: dict[str, Any] = {"benchmark": benchmark, "num_cases": len(evaluation.results[editors[0]])}
    for name in editors:
        items = evaluation.results[name]
        counts = Counter(item.outcome or "failed" for item in items)
        summary[name] = {
            **_by_category(items, lambda chosen, metric: _interval(chosen, metric, evaluation.seed)),
            "outcomes": {key: counts[key] for key in ("truth", "wrong", "input", "failed")},
            "failures": evaluation.failures(name),
        }
    compared = {"difference": (BASE, FINE_TUNED), "post_edit_difference": (FINE_TUNED, POST_EDITED)}
    for name, (before, after) in compared.items():
        if before in editors and after in editors:
            pairs = list(zip(evaluation.results[before], evaluation.results[after], strict=True))
            summary[name] = _by_category(pairs, lambda chosen, metric: _difference(chosen, metric, evaluation.seed))
    summary["clip"] = {"model": evaluation.clip_name, "reference_scores": dict(evaluation.clip_references)}
    summary["preservation_cap_db"] = PSNR_CAP
    summary["seed"] = evaluation.seed
    return summary


def write_results(folder: Path, results: Sequence[tuple[dict[str, Any], Evaluation]]) -> None:
    """Write ``summary.json`` and ``metrics.json`` (one row for each editor and case) into ``folder``, each atomically.

    Args:
        folder: made when it is not there.
        results: summary and evaluation of each benchmark; the first is the main one, the layout of the others is the
            same, under ``other_benchmarks``.
    """
    main, *others = (summary for summary, _ in results)
    rows = [
        {"benchmark": summary["benchmark"], "editor": editor, **item.to_row()}
        for summary, evaluation in results
        for editor, items in evaluation.results.items()
        for item in items
    ]
    write_json(folder / "metrics.json", rows)
    write_json(folder / "summary.json", main | {"other_benchmarks": {s["benchmark"]: s for s in others}})


def editor_names(summary: Mapping[str, Any]) -> list[str]:
    """Return the editors a summary speaks of, in the order of the evaluation."""
    return [name for name, value in summary.items() if isinstance(value, Mapping) and "outcomes" in value]


def _by_category(items: Sequence[Any], measure: Callable[[Sequence[Any], str], Interval]) -> dict[str, Any]:
    def measured(chosen: Sequence[Any]) -> dict[str, Any]:
        return {metric: measure(chosen, metric).to_dict() for metric in METRICS}

    categories = order_categories(_category(item) for item in items)
    return {
        "overall": measured(items),
        "by_category": {c: measured([item for item in items if _category(item) == c]) for c in categories},
    }


def _category(item: ItemResult | tuple[ItemResult, ItemResult]) -> str:
    return item.category if isinstance(item, ItemResult) else item[0].category


def _interval(items: Sequence[ItemResult], metric: str, seed: int) -> Interval:
    return bootstrap_interval(np.array([METRICS[metric](item) for item in items]), seed=seed)


def _difference(pairs: Sequence[tuple[ItemResult, ItemResult]], metric: str, seed: int) -> Interval:
    values = np.array([[METRICS[metric](item) for item in pair] for pair in pairs])
    return paired_difference(values[:, 0], values[:, 1], seed=seed)
