"""What candidates are chosen by: CLIP similarities, and how well structure is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SSIM_C3 = (0.03 * 1.0) ** 2 / 2
"""SSIM's third constant, ``C2 / 2`` with ``C2 = (0.03 L)^2``, for luma in [0, 1]."""


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Return the cosines of ``(B, D)`` unit-norm CLIP embeddings, row by row: ``(B,)`` in [-1, 1].

    Of a picture and its caption this is CLIP-T; of a picture and the input picture, CLIP-I.
    """
    return (first * second).sum(-1)


def direction_similarity(before: Tensor, after: Tensor, text_before: Tensor, text_after: Tensor) -> Tensor:
    """Return how far pictures move as their captions do: ``cos(I1 - I0, T1 - T0)``, ``(B,)`` in [-1, 1]."""
    return torch.nn.functional.cosine_similarity(after - before, text_after - text_before, dim=-1)


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
