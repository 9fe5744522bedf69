"""Each step's samples and random numbers, drawn from the seed and the step's number alone.

A resumed run therefore goes on exactly as it would have, and the number of processes or accumulation steps changes
neither the samples nor the noise: every process draws the whole batch and keeps its slice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from editfoundry.editors.triplet_training.dropout import conditioning_dropout
from editfoundry.editors.triplet_training.pair_latents import PairLatents
from editfoundry.editors.triplet_training.text_cache import TextCache
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.editors.triplet_training.triplet_pixels import CENTRED

CHANGE_THRESHOLD = 0.25
"""Mean difference of scaled latents, whose deviation is 1, from which a place of the picture has changed."""

_VALIDATION_SEED = 7_919
"""Added to the run's seed, so that validation shares no noise with training."""


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
    crops: Tensor
    """``(B, 3)`` side, across and down of each pair's crop, see `triplet_pixels.Crop`."""
    drop_tokens: Tensor
    """``(B, L)`` bool, tokens of the instruction."""

    def part(self, chosen: slice) -> Draws:
        """Return some of the samples."""
        return Draws(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True)
class PairBatch:
    """What the loss needs; the latents are where they were made."""

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
    drop_tokens: Tensor
    """``(B, L)`` bool, tokens to leave out."""
    changed: Tensor
    """``(B, 1, h, w)`` bool, where output and input differ."""


def draw_step(
    config: TripletConfig,
    step: int,
    *,
    num_triplets: int,
    num_timesteps: int,
    latent_shape: tuple[int, ...],
    num_tokens: int,
) -> Draws:
    """Draw step ``step`` (from 0); ``latent_shape`` is (C, h, w), ``num_tokens`` the length L of an instruction."""
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
        crops=_crops(config, torch.rand(size, 3, generator=generator)),
        drop_tokens=torch.rand(size, num_tokens, generator=generator) < config.token_dropout,
    )


def _crops(config: TripletConfig, draws: Tensor) -> Tensor:
    if not config.random_crop:
        return torch.tensor(CENTRED).expand(len(draws), 3)
    sides = config.min_crop_share + (1 - config.min_crop_share) * draws[:, :1]
    return torch.cat([sides, draws[:, 1:]], dim=1)


def epoch_indices(seed: int, start: int, count: int, num_triplets: int) -> Tensor:
    """Return ``(count,)`` indices of samples ``start`` onwards of endless epochs, each in an order of its own."""
    positions = torch.arange(start, start + count)
    parts = []
    for epoch in range(start // num_triplets, (start + count - 1) // num_triplets + 1):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + 500_009 * (epoch + 1))
        order = torch.randperm(num_triplets, generator=generator)
        parts.append(order[positions[positions // num_triplets == epoch] % num_triplets])
    return torch.cat(parts)


def validation_draws(
    config: TripletConfig, num_triplets: int, num_timesteps: int, latent_shape: tuple[int, ...], num_tokens: int
) -> Draws:
    """Draw a validation's samples: each triplet once, timesteps evenly spread, no dropout, no flip, no crop."""
    size = min(config.num_validation_samples, num_triplets)
    plain = replace(
        config,
        seed=config.seed + _VALIDATION_SEED,
        batch_size=size,
        gradient_accumulation_steps=1,
        conditioning_dropout=0.0,
        token_dropout=0.0,
        horizontal_flip=False,
        random_crop=False,
    )
    draws = draw_step(
        plain,
        0,
        num_triplets=num_triplets,
        num_timesteps=num_timesteps,
        latent_shape=latent_shape,
        num_tokens=num_tokens,
    )
    spread = ((torch.arange(size) + 0.5) / size * num_timesteps).long()
    return replace(draws, timesteps=spread)


def make_batch(draws: Draws, latents: PairLatents, texts: TextCache, scaling_factor: float) -> PairBatch:
    """Look up or encode the samples of ``draws``, and apply its dropout."""
    inputs, outputs = latents.of_pairs(draws.indices, draws.flips, draws.crops, draws.posterior_noise)
    kept = (~draws.drop_image).to(inputs).view(-1, 1, 1, 1)
    return PairBatch(
        latents=outputs * scaling_factor,
        image_latents=inputs * kept,
        noise=draws.noise,
        timesteps=draws.timesteps,
        text_rows=texts.rows_of(draws.indices, draws.drop_text),
        drop_tokens=draws.drop_tokens,
        changed=((outputs - inputs) * scaling_factor).abs().mean(1, keepdim=True) > CHANGE_THRESHOLD,
    )
