"""Each step's samples and random numbers, drawn from the seed and the step's number alone.

A resumed run therefore goes on exactly as it would have, and the number of processes or accumulation steps changes
neither the samples nor the noise: every process draws the whole batch and keeps its slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from editfoundry.training.config import TrainingConfig
from editfoundry.training.dropout import conditioning_dropout
from editfoundry.training.latents import LatentCache
from editfoundry.training.texts import TextCache


@dataclass(frozen=True)
class Draws:
    """One step's random numbers, for B samples."""

    indices: Tensor
    """``(B,)`` int64 triplets."""
    flips: Tensor
    """``(B,)`` int64, 1 for a mirrored pair."""
    drop_text: Tensor
    """``(B,)`` bool."""
    drop_image: Tensor
    """``(B,)`` bool."""
    timesteps: Tensor
    """``(B,)`` int64."""
    posterior_noise: Tensor
    """``(B, C, h, w)`` normal."""
    noise: Tensor
    """``(B, C, h, w)`` normal."""

    def part(self, chosen: slice) -> Draws:
        """Return some of the samples."""
        return Draws(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True)
class Batch:
    """What the loss needs, on the CPU."""

    latents: Tensor
    """``(B, C, h, w)``, scaled."""
    image_latents: Tensor
    """``(B, C, h, w)``, unscaled, zero where dropped."""
    noise: Tensor
    """``(B, C, h, w)``."""
    timesteps: Tensor
    """``(B,)`` int64."""
    text_rows: np.ndarray
    """``(B,)`` rows of the text cache, 0 where dropped."""


def draw_step(
    config: TrainingConfig, step: int, *, num_triplets: int, num_timesteps: int, latent_shape: tuple[int, ...]
) -> Draws:
    """Draw step ``step`` (from 0); ``latent_shape`` is (C, h, w)."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    size = config.batch_size
    flip_draws = torch.rand(size, generator=generator)
    flips = (flip_draws < 0.5).long() if config.horizontal_flip else torch.zeros(size, dtype=torch.long)
    drop_text, drop_image = conditioning_dropout(torch.rand(size, generator=generator), config.conditioning_dropout)
    return Draws(
        indices=epoch_indices(config.seed, step * size, size, num_triplets),
        flips=flips,
        drop_text=drop_text,
        drop_image=drop_image,
        timesteps=torch.randint(num_timesteps, (size,), generator=generator),
        posterior_noise=torch.randn((size, *latent_shape), generator=generator),
        noise=torch.randn((size, *latent_shape), generator=generator),
    )


def epoch_indices(seed: int, start: int, count: int, num_triplets: int) -> Tensor:
    """Return ``(count,)`` indices of samples ``start`` onwards of endless epochs, each in an order of its own."""
    positions = torch.arange(start, start + count)
    parts = []
    for epoch in range(start // num_triplets, (start + count - 1) // num_triplets + 1):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + 500_009 * (epoch + 1))
        order = torch.randperm(num_triplets, generator=generator)
        parts.append(order[positions[positions // num_triplets == epoch] % num_triplets])
    return torch.cat(parts)


def make_batch(draws: Draws, latents: LatentCache, texts: TextCache, scaling_factor: float) -> Batch:
    """Look up the samples of ``draws`` and apply its dropout."""
    kept = (~draws.drop_image).float().view(-1, 1, 1, 1)
    outputs = latents.sample_outputs(draws.indices, draws.flips, draws.posterior_noise)
    return Batch(
        latents=outputs * scaling_factor,
        image_latents=latents.inputs(draws.indices, draws.flips) * kept,
        noise=draws.noise,
        timesteps=draws.timesteps,
        text_rows=texts.rows_of(draws.indices, draws.drop_text),
    )
