"""Percentile bootstrap intervals (Efron, 1979) of means and of paired differences."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

NUM_RESAMPLES = 2000
_MAX_DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; all three are None when there is nothing to average."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Values averaged."""

    def to_dict(self) -> dict[str, float | int | None]:
        """Return ``{"value", "low", "high", "n"}``."""
        return asdict(self)


def bootstrap_interval(values: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES) -> Interval:
    """Return the mean of ``values`` with its 95 % percentile bootstrap interval.

    Args:
        values: ``(N,)`` floats; NaN marks a missing value, which is left out and not counted.
        seed: of the resampling.
        num_resamples: resamples drawn with replacement.
    """
    present = np.asarray(values, dtype=np.float64)
    present = present[~np.isnan(present)]
    if len(present) == 0:
        return Interval(None, None, None, 0)
    low, high = np.percentile(_resampled_means(present, seed, num_resamples), (2.5, 97.5))
    return Interval(float(present.mean()), float(low), float(high), len(present))


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Return the mean of ``second - first`` over items that have both, with its 95 % interval.

    Items are resampled, not values: what makes an item hard for both editors cancels out.

    Args:
        first: ``(N,)`` floats, NaN where missing.
        second: ``(N,)`` floats of the same items in the same order.
        seed: of the resampling.
        num_resamples: resamples drawn with replacement.
    """
    return bootstrap_interval(np.asarray(second) - np.asarray(first), seed=seed, num_resamples=num_resamples)


def bootstrap_columns(
    values: np.ndarray, groups: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> list[Interval]:
    """Return the mean of each column with its 95 % interval, where rows of one group are drawn together.

    Turns of one session share their picture, so drawing them apart would make intervals too narrow. All columns share
    the resamples.

    Args:
        values: ``(N, M)`` floats; NaN marks a missing value, which is left out and not counted.
        groups: ``(N,)`` integers in [0, G), the group of each row.
        seed: of the resampling.
        num_resamples: resamples of G groups, drawn with replacement.
    """
    present = ~np.isnan(values)
    num_groups = int(groups.max()) + 1 if len(groups) else 0
    sums, counts = (np.zeros((num_groups, values.shape[1])) for _ in range(2))
    np.add.at(sums, groups, np.where(present, values, 0.0))
    np.add.at(counts, groups, present)
    total = counts.sum(axis=0)
    intervals = [Interval(None, None, None, 0)] * values.shape[1]
    some = np.flatnonzero(total)
    if len(some):
        means = _resampled_group_means(sums[:, some], counts[:, some], seed, num_resamples)
        low, high = np.nanpercentile(means, (2.5, 97.5), axis=0)
        for place, column in enumerate(some):
            mean = float(sums[:, column].sum() / total[column])
            intervals[column] = Interval(mean, float(low[place]), float(high[place]), int(total[column]))
    return intervals


def _resampled_group_means(sums: np.ndarray, counts: np.ndarray, seed: int, num_resamples: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    num_groups = len(sums)
    num_at_once = max(1, _MAX_DRAWS_AT_ONCE // num_groups)
    means = []
    for start in range(0, num_resamples, num_at_once):
        num_drawn = min(num_at_once, num_resamples - start)
        draws = random.integers(num_groups, size=(num_drawn, num_groups))
        cells = draws + np.arange(num_drawn)[:, None] * num_groups
        weights = np.bincount(cells.ravel(), minlength=num_drawn * num_groups).reshape(num_drawn, num_groups)
        # A resample may hold no row of a column that has few: it says nothing about that column.
        with np.errstate(invalid="ignore"):
            means.append((weights @ sums) / (weights @ counts))
    return np.concatenate(means)


def _resampled_means(values: np.ndarray, seed: int, num_resamples: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    num_at_once = max(1, _MAX_DRAWS_AT_ONCE // len(values))
    means = [
        values[random.integers(len(values), size=(min(num_at_once, num_resamples - start), len(values)))].mean(axis=1)
        for start in range(0, num_resamples, num_at_once)
    ]
    return np.concatenate(means)
