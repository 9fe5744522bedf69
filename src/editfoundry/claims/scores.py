"""What a benchmark run measured of one editor, item by item, and the differences between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from editfoundry.evaluation.bootstrap import Interval, paired_difference
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.reports.run_results import Run
from editfoundry.evaluation.reports.run_summary import item_groups, score_matrix

BY_ANOTHER = "Gain by another item's instruction"
SPECIFIC = "Specific gain: by the own instruction minus by another's"


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmScores:
    """Scores of one editor; all arms of one benchmark have its items in the same order."""

    run: Run
    """The run of this one editor."""
    ids: tuple[str, ...]
    categories: tuple[str, ...]
    groups: np.ndarray
    """``(N,)`` int64: items of one group, such as prompts of one picture, are drawn together in intervals."""
    values: Mapping[str, np.ndarray]
    """Metric -> ``(N,)`` float64, as `score_matrix` has it: NaN where it has none, failed edits wrong, PSNR capped."""
    by_another: Mapping[str, np.ndarray]
    """The same of the edits that were asked for by another item's instruction; NaN where none could be asked for."""

    def of(self, metric: str, category: str | None = None) -> np.ndarray:
        """Return one metric's values, of one category where it is given."""
        return self._in(category, self.values[metric])

    def of_another(self, metric: str, category: str | None = None) -> np.ndarray:
        """Return one metric's values by another item's instruction."""
        return self._in(category, self.by_another[metric])

    def specific(self, metric: str, category: str | None = None) -> np.ndarray:
        """Return by how much each item's own instruction gives more than another's."""
        return self.of(metric, category) - self.of_another(metric, category)

    def of_picture(self, name: str, metric: str) -> np.ndarray:
        """Return what a picture that no editor made scores, item by item: NaN where nothing, PSNR capped."""
        bounds = (self.run.bounds.get(item, {}).get(name, {}).get(metric) for item in self.ids)
        values = np.array([np.nan if value is None else value for value in bounds], dtype=np.float64)
        return np.minimum(values, PSNR_CAP) if metric.endswith("psnr") else values

    def groups_in(self, category: str | None = None) -> np.ndarray:
        """Return the items' groups, those of one category where it is given."""
        return self._in(category, self.groups)

    def _in(self, category: str | None, values: np.ndarray) -> np.ndarray:
        return values if category is None else values[[c == category for c in self.categories]]


def scores_of(run: Run) -> ArmScores:
    """Return the scores of the one editor of a run."""
    [items] = (list(items.values()) for items in run.items.values())
    names = list(run.metrics)
    by_another = np.full((len(items), len(names)), np.nan)
    place_of = {item.id: place for place, item in enumerate(items)}
    # An editor that reads the truth is asked for nothing else.
    for asked in run.controls.get(ANOTHER_INSTRUCTION, {}).values():
        by_another[[place_of[name] for name in asked]] = score_matrix(list(asked.values()), names)
    return ArmScores(
        run=run,
        ids=tuple(item.id for item in items),
        categories=tuple(item.category for item in items),
        groups=item_groups(items),
        values=dict(zip(names, score_matrix(items, names).T, strict=True)),
        by_another=dict(zip(names, by_another.T, strict=True)),
    )


def gain(before: ArmScores, after: ArmScores, metric: str, seed: int, category: str | None = None) -> Interval:
    """Return the mean of ``after - before`` over the items that have both, with its 95 % interval."""
    _check_same_items(before, after)
    return _difference(before, before.of(metric, category), after.of(metric, category), seed, category)


def gain_by_another(
    before: ArmScores, after: ArmScores, metric: str, seed: int, category: str | None = None
) -> Interval:
    """Return the gain where both are asked with another item's instruction: what is gained without understanding."""
    _check_same_items(before, after)
    return _difference(before, before.of_another(metric, category), after.of_another(metric, category), seed, category)


def specific_gain(before: ArmScores, after: ArmScores, metric: str, seed: int, category: str | None = None) -> Interval:
    """Return the gain of what is specific: by the own instruction minus by another's."""
    _check_same_items(before, after)
    return _difference(before, before.specific(metric, category), after.specific(metric, category), seed, category)


def _difference(arm: ArmScores, before: np.ndarray, after: np.ndarray, seed: int, category: str | None) -> Interval:
    return paired_difference(before, after, seed=seed, groups=arm.groups_in(category))


def _check_same_items(before: ArmScores, after: ArmScores) -> None:
    if before.ids != after.ids:
        raise ValueError("these arms were not run on the same items")
