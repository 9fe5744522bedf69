"""How far an edit is from its reference, pixel by pixel: L1, L2, PSNR, SSIM."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from editfoundry.evaluation.metrics.metric import Scores
from editfoundry.evaluation.preservation import psnr

PIXEL_METRICS = ("l1", "l2", "psnr", "ssim")
PREPROCESSING = "RGB in [0, 1], at the reference's size (bicubic where the edit has another)"
SSIM_PREPROCESSING = f"{PREPROCESSING}; Gaussian window of 11 pixels, sigma 1.5, mirrored borders (Wang et al., 2004)"
_WINDOW = 11
"""Pixels; a picture must have as many to its shorter side."""
_SIGMA = 1.5
_STABILISERS = (0.01**2, 0.03**2)


def pixel_metrics(edited: Sequence[Image.Image], references: Sequence[Image.Image | None]) -> list[Scores]:
    """Return the scores of each edit; all None where there is no reference.

    L1 is the mean absolute, L2 the mean squared difference, of values in [0, 1], as MagicBrush's evaluation has them;
    PSNR is infinite for two equal pictures.
    """
    return [
        dict.fromkeys(PIXEL_METRICS) if reference is None else _of_pair(image, reference)
        for image, reference in zip(edited, references, strict=True)
    ]


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture at (width, height): itself where it has that size, otherwise bicubic."""
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def ssim(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return the mean structural similarity of two ``(H, W, 3)`` float32 RGB images in [0, 1]; None for tiny ones.

    The window is applied row by row and column by column, which costs a small part of a dense one.
    """
    if min(first.shape[:2]) < _WINDOW:
        return None
    light, contrast = _STABILISERS
    mean_first, mean_second = _windowed(first), _windowed(second)
    product, squares = mean_first * mean_second, mean_first**2 + mean_second**2
    covariance = _windowed(first * second) - product
    variances = _windowed(first**2 + second**2) - squares
    found = (2 * product + light) * (2 * covariance + contrast) / ((squares + light) * (variances + contrast))
    return float(found.mean(dtype=np.float64))


def _of_pair(edited: Image.Image, reference: Image.Image) -> Scores:
    first, second = (np.asarray(i, dtype=np.float32) / 255 for i in (resized(edited, reference.size), reference))
    difference = first - second
    squared = float(np.square(difference).mean(dtype=np.float64))
    return {
        "l1": float(np.abs(difference).mean(dtype=np.float64)),
        "l2": squared,
        "psnr": psnr(squared * 255**2),
        "ssim": ssim(first, second),
    }


def _windowed(values: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101))
