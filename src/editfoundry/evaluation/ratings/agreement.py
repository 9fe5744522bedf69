"""Krippendorff's alpha: how far raters agree beyond chance, whatever their number and whoever left answers out.

K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011: 1 - observed / expected disagreement, both from the
coincidences of answers within units. 1 is full agreement, 0 what chance gives.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Metric = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(answers: np.ndarray, metric: Metric) -> float | None:
    """Return the agreement of raters.

    Args:
        answers: ``(R, U)`` floats of R raters and U units; NaN where a rater left a unit out.
        metric: how far apart two answers are: ``nominal``, different or not; ``ordinal``, by the answers between
            them; ``interval``, by their squared difference.

    Returns:
        At most 1; None where it is not defined: no unit has two answers, or all answers are the same.
    """
    values = np.unique(answers[~np.isnan(answers)])
    coincidences = _coincidences(answers, values)
    totals = coincidences.sum(axis=1)
    num_pairable = totals.sum()
    if num_pairable < 2:
        return None
    distances = _squared_distances(values, totals, metric)
    expected = float((np.outer(totals, totals) * distances).sum()) / (num_pairable - 1)
    return None if expected == 0 else 1 - float((coincidences * distances).sum()) / expected


def _coincidences(answers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return ``(V, V)``: how often two raters gave a pair of answers to one unit, each unit by its answers' number."""
    counts = np.stack([(answers == value).sum(axis=0) for value in values]) if len(values) else np.zeros((0, 0))
    raters = counts.sum(axis=0)
    paired = counts[:, raters >= 2] / np.maximum(raters[raters >= 2] - 1, 1)
    whole = counts[:, raters >= 2]
    matrix: np.ndarray = paired @ whole.T - np.diag(paired.sum(axis=1))
    return matrix


def _squared_distances(values: np.ndarray, totals: np.ndarray, metric: Metric) -> np.ndarray:
    """Return ``(V, V)`` squared distances of answers."""
    if metric == "nominal":
        return 1.0 - np.eye(len(values))
    if metric == "interval":
        return np.square(values[:, None] - values[None, :])
    # Half of each of the two and all between them.
    middles = np.cumsum(totals) - totals / 2
    return np.square(middles[:, None] - middles[None, :])
