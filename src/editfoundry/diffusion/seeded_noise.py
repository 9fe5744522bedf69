"""Noise that depends on each picture's own seed and on nothing else of its batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def seeded_noise(like: Tensor, seeds: Sequence[int], num_draws: int = 1) -> Tensor:
    """Return unit Gaussian noise of the kind and shape of ``like``, ``(B, C, H, W)``, one seed for each row.

    Args:
        like: gives shape, precision and device.
        seeds: ``B`` of them.
        num_draws: draws of each seed; with more than one the result is ``(num_draws, B, C, H, W)``.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [torch.stack([torch.randn(like.shape[1:], generator=g) for g in generators]) for _ in range(num_draws)]
    noise = drawn[0] if num_draws == 1 else torch.stack(drawn)
    return noise.to(like.device, like.dtype)
