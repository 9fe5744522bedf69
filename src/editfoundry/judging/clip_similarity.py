"""CLIP similarities of pictures and captions, from embeddings that are computed once."""

from __future__ import annotations

import torch
from torch import Tensor


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Return the cosines of ``(B, D)`` unit-norm CLIP embeddings, row by row: ``(B,)`` in [-1, 1].

    Of a picture and its caption this is CLIP-T; of a picture and the input picture, CLIP-I.
    """
    return (first * second).sum(-1)


def direction_similarity(before: Tensor, after: Tensor, text_before: Tensor, text_after: Tensor) -> Tensor:
    """Return how far pictures move as their captions do: ``cos(I1 - I0, T1 - T0)``, ``(B,)`` in [-1, 1]."""
    return torch.nn.functional.cosine_similarity(after - before, text_after - text_before, dim=-1)
