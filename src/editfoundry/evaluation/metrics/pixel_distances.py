"""How far an edit is from its reference, pixel by pixel: L1, L2 and PSNR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.evaluation.preservation import psnr

PREPROCESSING = "RGB in [0, 1], at the reference's size (bicubic where the edit has another)"


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture at (width, height): itself where it has that size, otherwise bicubic."""
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def pixel_pair(edits: EditedBatch, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a row's edit and its reference, ``(H, W, 3)`` float32 RGB in [0, 1], at the reference's size."""
    reference = edits.reference(row)
    edited = resized(edits.edit(row), reference.size)
    return np.asarray(edited, dtype=np.float32) / 255, np.asarray(reference, dtype=np.float32) / 255


def _l1(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    pairs = (pixel_pair(edits, row) for row in rows)
    return [float(np.abs(first - second).mean(dtype=np.float64)) for first, second in pairs]


def _l2(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    pairs = (pixel_pair(edits, row) for row in rows)
    return [float(np.square(first - second).mean(dtype=np.float64)) for first, second in pairs]


def _psnr(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    return [psnr(squared * 255**2) for squared in _l2(edits, rows)]


L1 = Metric(
    name="l1",
    label="L1",
    measures="Mean absolute difference to the reference (MagicBrush, section 4).",
    unit="0 to 1",
    higher_is_better=False,
    compute=_l1,
    needs=("reference",),
    preprocessing=PREPROCESSING,
)
L2 = Metric(
    name="l2",
    label="L2 (mean squared)",
    measures="Mean squared difference to the reference (MagicBrush, section 4).",
    unit="0 to 1",
    higher_is_better=False,
    compute=_l2,
    needs=("reference",),
    preprocessing=PREPROCESSING,
)
PSNR = Metric(
    name="psnr",
    label="PSNR",
    measures="Peak signal-to-noise ratio to the reference; infinite for two equal pictures.",
    unit="dB",
    higher_is_better=True,
    compute=_psnr,
    needs=("reference",),
    preprocessing=PREPROCESSING,
    decimals=1,
)
