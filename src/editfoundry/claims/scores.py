"""What a run of `run_benchmark` measured of one editor, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from editfoundry.evaluation.bootstrap import Interval, paired_difference
from editfoundry.evaluation.preservation import PSNR_CAP


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmScores:
    """Scores of one editor; all arms of one benchmark have its items in the same order."""

    ids: tuple[str, ...]
    categories: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    """Metric -> ``(N,)`` float64; NaN where it has none. A failed edit has an outcome of 0, an infinite PSNR is 60."""

    def of(self, metric: str, category: str | None = None) -> np.ndarray:
        """Return one metric's values, of one category where it is given."""
        values = self.values[metric]
        return values if category is None else values[[c == category for c in self.categories]]


def scores_of(metrics: Mapping[str, Any]) -> ArmScores:
    """Return the scores of the one editor of a ``metrics.json``."""
    rows = metrics["items"]
    names = list(metrics["metrics"])
    return ArmScores(
        ids=tuple(row["id"] for row in rows),
        categories=tuple(row["category"] for row in rows),
        values={name: np.array([_value(row, name) for row in rows], dtype=np.float64) for name in names},
    )


def gain(before: ArmScores, after: ArmScores, metric: str, seed: int, category: str | None = None) -> Interval:
    """Return the mean of ``after - before`` over the items that have both, with its 95 % interval."""
    if before.ids != after.ids:
        raise ValueError("these arms were not run on the same items")
    return paired_difference(before.of(metric, category), after.of(metric, category), seed=seed)


def _value(row: Mapping[str, Any], name: str) -> float:
    value = row["scores"].get(name)
    if value == "inf":
        return PSNR_CAP
    if value is None:
        return 0.0 if name == "outcome" and row["failure"] is not None else np.nan
    return min(float(value), PSNR_CAP) if name == "preservation_psnr" else float(value)
