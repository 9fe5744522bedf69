"""What a benchmark run measured of one editor, item by item, and the differences between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from editfoundry.evaluation.bootstrap import Interval, paired_difference
from editfoundry.evaluation.reports.run_results import Run
from editfoundry.evaluation.reports.run_summary import score_matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmScores:
    """Scores of one editor; all arms of one benchmark have its items in the same order."""

    run: Run
    """The run of this one editor."""
    ids: tuple[str, ...]
    categories: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    """Metric -> ``(N,)`` float64, as `score_matrix` has it: NaN where it has none, failed edits wrong, PSNR capped."""

    def of(self, metric: str, category: str | None = None) -> np.ndarray:
        """Return one metric's values, of one category where it is given."""
        values = self.values[metric]
        return values if category is None else values[[c == category for c in self.categories]]


def scores_of(run: Run) -> ArmScores:
    """Return the scores of the one editor of a run."""
    [items] = (list(items.values()) for items in run.items.values())
    names = list(run.metrics)
    return ArmScores(
        run=run,
        ids=tuple(item.id for item in items),
        categories=tuple(item.category for item in items),
        values=dict(zip(names, score_matrix(items, names).T, strict=True)),
    )


def gain(before: ArmScores, after: ArmScores, metric: str, seed: int, category: str | None = None) -> Interval:
    """Return the mean of ``after - before`` over the items that have both, with its 95 % interval."""
    if before.ids != after.ids:
        raise ValueError("these arms were not run on the same items")
    return paired_difference(before.of(metric, category), after.of(metric, category), seed=seed)
