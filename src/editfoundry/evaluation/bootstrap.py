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


def bootstrap_interval(
    values: np.ndarray, *, seed: int, groups: np.ndarray | None = None, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Return the mean of ``values`` with its 95 % percentile bootstrap interval.

    Args:
        values: ``(N,)`` floats; NaN marks a missing value, which is left out and not counted.
        seed: of the resampling.
        groups: ``(N,)`` integers, the group of each value: those of one are drawn together. By default each is its own.
        num_resamples: resamples drawn with replacement.
    """
    column = np.asarray(values, dtype=np.float64)[:, None]
    groups = np.arange(len(column)) if groups is None else groups
    return bootstrap_columns(column, groups, seed=seed, num_resamples=num_resamples)[0]


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """Return the mean of ``second - first`` over items that have both, with its 95 % interval.

    Items are resampled, not values: what makes an item hard for both editors cancels out.

    Args:
        first: ``(N,)`` floats, NaN where missing.
        second: ``(N,)`` floats of the same items in the same order.
        seed: of the resampling.
        groups: as in `bootstrap_interval`.
        num_resamples: resamples drawn with replacement.
    """
    difference = np.asarray(second) - np.asarray(first)
    return bootstrap_interval(difference, seed=seed, groups=groups, num_resamples=num_resamples)


def group_difference(
    values: np.ndarray, is_first: np.ndarray, groups: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> Interval:
    """Return by how much the mean of some rows is above that of the others, where rows of one group are drawn together.

    All three values are None where one of the two sides has no row.

    Args:
        values: ``(N,)`` floats.
        is_first: ``(N,)`` bool, the rows of the first mean.
        groups: ``(N,)`` integers, the group of each row.
        seed: of the resampling.
        num_resamples: resamples of groups, drawn with replacement; those that lack a side are left out.
    """
    if is_first.all() or not is_first.any():
        return Interval(None, None, None, len(values))
    _, own_groups = np.unique(groups, return_inverse=True)
    num_groups = int(own_groups.max()) + 1
    rows = np.stack([is_first * values, is_first, ~is_first * values, ~is_first], axis=1).astype(np.float64)
    sums = np.zeros((num_groups, 4))
    np.add.at(sums, own_groups, rows)
    random = np.random.default_rng(seed)
    weights = random.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=num_resamples)
    first, num_first, second, num_second = (weights @ sums).T
    is_whole = (num_first > 0) & (num_second > 0)
    drawn = first[is_whole] / num_first[is_whole] - second[is_whole] / num_second[is_whole]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(float(values[is_first].mean() - values[~is_first].mean()), float(low), float(high), len(values))


def bootstrap_columns(
    values: np.ndarray, groups: np.ndarray, *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> list[Interval]:
    """Return the mean of each column with its 95 % interval, where rows of one group are drawn together.

    Turns of one session share their picture, so drawing them apart would make intervals too narrow. A column is
    resampled over the groups that have a value in it; columns with values in the same rows share their resamples.

    Args:
        values: ``(N, M)`` floats; NaN marks a missing value, which is left out and not counted.
        groups: ``(N,)`` integers, the group of each row.
        seed: of the resampling.
        num_resamples: resamples of groups, drawn with replacement.
    """
    present = ~np.isnan(values)
    intervals = [Interval(None, None, None, 0)] * values.shape[1]
    alike: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        alike.setdefault(present[:, column].tobytes(), []).append(column)
    for columns in alike.values():
        rows = present[:, columns[0]]
        if rows.any():
            found = _intervals(values[rows][:, columns], groups[rows], seed, num_resamples)
            for column, interval in zip(columns, found, strict=True):
                intervals[column] = interval
    return intervals


def _intervals(values: np.ndarray, groups: np.ndarray, seed: int, num_resamples: int) -> list[Interval]:
    """Return the intervals of ``(N, M)`` values without gaps."""
    _, own_groups = np.unique(groups, return_inverse=True)
    counts = np.bincount(own_groups).astype(np.float64)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, own_groups, values)
    low, high = np.percentile(_resampled_means(sums, counts, seed, num_resamples), (2.5, 97.5), axis=0)
    return [
        Interval(float(mean), float(least), float(most), len(values))
        for mean, least, most in zip(values.mean(axis=0), low, high, strict=True)
    ]


def _resampled_means(sums: np.ndarray, counts: np.ndarray, seed: int, num_resamples: int) -> np.ndarray:
    """Return ``(num_resamples, M)`` means over resamples of G groups, from their sums ``(G, M)`` and sizes ``(G,)``."""
    random = np.random.default_rng(seed)
    num_groups = len(sums)
    num_at_once = max(1, _MAX_DRAWS_AT_ONCE // num_groups)
    means = []
    for start in range(0, num_resamples, num_at_once):
        num_drawn = min(num_at_once, num_resamples - start)
        draws = random.integers(num_groups, size=(num_drawn, num_groups))
        cells = draws + np.arange(num_drawn)[:, None] * num_groups
        weights = np.bincount(cells.ravel(), minlength=num_drawn * num_groups).reshape(num_drawn, num_groups)
        means.append((weights @ sums) / (weights @ counts)[:, None])
    return np.concatenate(means)
