"""Boxes in pictures: ``(x0, y0, x1, y1)``, what detectors find and segmenters outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def box_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the intersection of two boxes over their union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (sum(areas) - shared) if shared else 0.0


def mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Return the box ``(x0, y0, x1, y1)`` around a mask, ``(H, W)`` bool, that is not empty; upper ends exclusive."""
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
