"""EditWorld's structure term: how well a candidate keeps the input picture's structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SSIM_C3 = (0.03 * 1.0) ** 2 / 2
"""SSIM's third constant, ``C2 / 2`` with ``C2 = (0.03 L)^2``, for luma in [0, 1]."""


def structure_similarity(first: Sequence[Image.Image], second: Sequence[Image.Image]) -> Tensor:
    """Return EditWorld's structure term ``(cov + C) / (sd1 * sd2 + C)`` of each pair of RGB pictures: ``(B,)``.

    It is the structure comparison of SSIM (Wang et al. 2004), taken once over the whole picture: covariance and
    standard deviations are those of luma (ITU-R 601-2) in [0, 1] over all pixels, and ``C`` is SSIM's ``C3``. 1 means
    the same structure, 0 none in common, -1 the inverse.
    """
    terms = [_structure(_luma(a), _luma(b)) for a, b in zip(first, second, strict=True)]
    return torch.tensor(terms, dtype=torch.float32)


def _structure(first: np.ndarray, second: np.ndarray) -> float:
    covariance = ((first - first.mean()) * (second - second.mean())).mean()
    return float((covariance + SSIM_C3) / (first.std() * second.std() + SSIM_C3))


def _luma(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=np.float64) / 255
