"""SSIM (Wang et al., 2004): how alike edit and reference are in light, contrast and structure, window by window."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric, Undefined, Value
from editfoundry.evaluation.metrics.pixel_distances import PREPROCESSING, pixel_pair

_WINDOW = 11
"""Pixels; a picture must have as many to its shorter side."""
_SIGMA = 1.5
_STABILISERS = (0.01**2, 0.03**2)


def structural_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean SSIM of two ``(H, W, 3)`` float32 RGB images in [0, 1].

    The window is applied row by row and column by column, which costs a small part of a dense one.
    """
    light, contrast = _STABILISERS
    mean_first, mean_second = _windowed(first), _windowed(second)
    product, squares = mean_first * mean_second, mean_first**2 + mean_second**2
    covariance = _windowed(first * second) - product
    variances = _windowed(first**2 + second**2) - squares
    found = (2 * product + light) * (2 * covariance + contrast) / ((squares + light) * (variances + contrast))
    return float(found.mean(dtype=np.float64))


def _ssim(edits: EditedBatch, rows: Sequence[int]) -> list[Value]:
    return [_of_pair(*pixel_pair(edits, row)) for row in rows]


def _of_pair(first: np.ndarray, second: np.ndarray) -> Value:
    if min(first.shape[:2]) < _WINDOW:
        return Undefined(f"the picture is smaller than the window of {_WINDOW} pixels")
    return structural_similarity(first, second)


def _windowed(values: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101))


SSIM = Metric(
    name="ssim",
    label="SSIM",
    measures="Mean structural similarity to the reference (Wang et al., 2004, equation 13).",
    unit="-1 to 1",
    higher_is_better=True,
    compute=_ssim,
    needs=("reference",),
    preprocessing=f"{PREPROCESSING}; Gaussian window of {_WINDOW} pixels, sigma {_SIGMA}, mirrored borders "
    "(Wang et al., 2004)",
)
