"""Preservation: how much of what should stay has stayed."""

from __future__ import annotations

import math

import numpy as np

from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import judged_region

PSNR_CAP = 60.0
"""Decibels. An untouched surrounding has an infinite PSNR; in means and intervals an item counts for at most this."""


def preservation_mse(edited: np.ndarray, case: EditCase) -> float | None:
    """Return the mean squared error against the input outside the region that truly changes, or outside its hole.

    Of a later turn, outside the regions of the turns before it, too: what is left, no turn was asked to change, and
    what it lost it lost by drift.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, the case's size.
        case: the edit that was asked for.

    Returns:
        In squared steps of 255; 0 when untouched; None when every pixel truly changes and nothing is left to preserve.
    """
    outside = ~judged_region(case)
    if case.touched is not None:
        outside &= ~case.touched
    if not outside.any():
        return None
    difference = edited[outside].astype(np.float64) - case.input_image[outside]
    return float(np.square(difference).mean())


def psnr(mse: float) -> float:
    """Return the peak signal-to-noise ratio of 8-bit images in decibels; infinite when ``mse`` is 0."""
    return math.inf if mse == 0 else 10 * math.log10(255**2 / mse)


def capped_psnr(mse: float) -> float:
    """Return ``psnr``, at most ``PSNR_CAP`` decibels."""
    return min(psnr(mse), PSNR_CAP)
