"""Each step's samples and random numbers, drawn from the seed and the step's number alone.

A resumed run therefore goes on exactly as it would have, and the number of processes or accumulation steps changes
neither the samples nor the noise: a process draws its part of the batch as it is in the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from editfoundry.editors.triplet_training.draws import EpochOrder, normal_rows
from editfoundry.editors.triplet_training.dropout import conditioning_dropout
from editfoundry.editors.triplet_training.pair_latents import PairLatents
from editfoundry.editors.triplet_training.text_cache import Texts
from editfoundry.editors.triplet_training.triplet_config import TripletConfig
from editfoundry.editors.triplet_training.triplet_pixels import CENTRED
from editfoundry.training.loop_config import MAX_SEED

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
    """``(B, 2)`` int64, 1 where the input image, and where the output image, is mirrored."""
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
    """``(B, 2, 3)`` side, across and down of the crops of input and output image, see `triplet_pixels.Crop`."""
    drop_tokens: Tensor
    """``(B, L)`` bool, tokens of the instruction."""

    def part(self, chosen: slice) -> Draws:
        """Return some of the samples."""
        return Draws(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True)
class PairBatch:
    """What was read for some samples; all on the CPU until `on` copies it."""

    pictures: tuple[Tensor, ...]
    """What `PairLatents.read` gave."""
    texts: Tensor
    """What `Texts.read` gave."""
    triplets: Tensor
    """``(B,)`` int64 numbers of the data set's triplets, in the order of its shards."""
    drop_text: Tensor
    """``(B,)`` bool, samples without instruction, whose ``texts`` are the empty one's where the family has texts."""
    drop_image: Tensor
    """``(B,)`` bool."""
    timesteps: Tensor
    """``(B,)`` int64."""
    posterior_noise: Tensor
    """``(B, C, h, w)``."""
    noise: Tensor
    """``(B, C, h, w)``."""

    def pinned(self) -> PairBatch:
        """Return it in pinned memory, of which a copy to a GPU does not hold up the CPU."""
        return self._each(Tensor.pin_memory)

    def on(self, device: torch.device) -> PairBatch:
        """Return it on ``device``; from pinned memory, the copy goes on while the CPU does."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> PairBatch:
        parts = {name: change(value) for name, value in vars(self).items() if name != "pictures"}
        return PairBatch(pictures=tuple(change(part) for part in self.pictures), **parts)


@dataclass(frozen=True)
class LatentPairs:
    """Latents of pairs, on the device that trains."""

    outputs: Tensor
    """``(B, C, h, w)``, scaled."""
    inputs: Tensor
    """``(B, C, h, w)``, unscaled, zero where dropped."""
    changed: Tensor
    """``(B, 1, h, w)`` bool, where output and input differ."""


def draw_step(
    config: TripletConfig,
    step: int,
    part: slice,
    *,
    order: EpochOrder,
    first: int,
    num_timesteps: int,
    latent_shape: tuple[int, ...],
    num_tokens: int,
) -> Draws:
    """Draw some samples of step ``step`` (from 0).

    Args:
        config: seed, size of a batch and probabilities.
        step: number of the optimizer step.
        part: which of the step's ``batch_size`` samples.
        order: of the triplets.
        first: place of the step's first sample in their endless epochs.
        num_timesteps: of the forward process.
        latent_shape: C, h, w.
        num_tokens: length L of an instruction.
    """
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    size = config.batch_size
    flips = _flips(config, torch.rand(size, generator=generator))
    drop_text, drop_image = conditioning_dropout(torch.rand(size, generator=generator), config.conditioning_dropout)
    # In the order in which a whole batch is drawn.
    drawn = Draws(
        indices=order.indices(first, size)[part],
        flips=flips[part, None].expand(-1, 2),
        drop_text=drop_text[part],
        drop_image=drop_image[part],
        timesteps=torch.randint(num_timesteps, (size,), generator=generator)[part],
        posterior_noise=normal_rows(size, latent_shape, part, generator),
        noise=normal_rows(size, latent_shape, part, generator),
        crops=_crops(config, torch.rand(size, 3, generator=generator))[part, None].expand(-1, 2, 3),
        drop_tokens=torch.rand(size, num_tokens, generator=generator)[part] < config.token_dropout,
    )
    if not config.augment_apart:
        return drawn
    # Last, so that all other numbers stay those of one draw a pair.
    output_flips = _flips(config, torch.rand(size, generator=generator))[part]
    output_crops = _crops(config, torch.rand(size, 3, generator=generator))[part]
    return replace(
        drawn,
        flips=torch.stack([drawn.flips[:, 0], output_flips], dim=1),
        crops=torch.stack([drawn.crops[:, 0], output_crops], dim=1),
    )


def _flips(config: TripletConfig, draws: Tensor) -> Tensor:
    return (draws < 0.5).long() if config.horizontal_flip else torch.zeros(len(draws), dtype=torch.long)


def _crops(config: TripletConfig, draws: Tensor) -> Tensor:
    if not config.random_crop:
        return torch.tensor(CENTRED).expand(len(draws), 3)
    sides = config.min_crop_share + (1 - config.min_crop_share) * draws[:, :1]
    return torch.cat([sides, draws[:, 1:]], dim=1)


def validation_draws(
    config: TripletConfig, num_triplets: int, num_timesteps: int, latent_shape: tuple[int, ...], num_tokens: int
) -> Draws:
    """Draw a validation's samples: each triplet once, timesteps evenly spread, no dropout, no flip, no crop."""
    size = min(config.num_validation_samples, num_triplets)
    plain = replace(
        config,
        seed=(config.seed + _VALIDATION_SEED) % (MAX_SEED + 1),
        batch_size=size,
        gradient_accumulation_steps=1,
        conditioning_dropout=0.0,
        token_dropout=0.0,
        horizontal_flip=False,
        random_crop=False,
        augment_apart=False,
    )
    draws = draw_step(
        plain,
        0,
        slice(size),
        order=EpochOrder(plain.seed, num_triplets),
        first=0,
        num_timesteps=num_timesteps,
        latent_shape=latent_shape,
        num_tokens=num_tokens,
    )
    spread = ((torch.arange(size) + 0.5) / size * num_timesteps).long()
    return replace(draws, timesteps=spread)


def read_batch(draws: Draws, latents: PairLatents, texts: Texts, numbers: np.ndarray) -> PairBatch:
    """Read what the samples of ``draws`` need; ``numbers`` are those of the triplets that are drawn from."""
    return PairBatch(
        pictures=latents.read(draws.indices, draws.flips, draws.crops),
        texts=texts.read(draws.indices, draws.drop_text, draws.drop_tokens),
        triplets=torch.from_numpy(numbers)[draws.indices],
        drop_text=draws.drop_text,
        drop_image=draws.drop_image,
        timesteps=draws.timesteps,
        posterior_noise=draws.posterior_noise,
        noise=draws.noise,
    )


def latent_pairs(batch: PairBatch, latents: PairLatents, scaling_factor: float) -> LatentPairs:
    """Turn what was read into latents, and apply the image's dropout, where ``batch`` is."""
    inputs, outputs = latents.encode(batch.pictures, batch.posterior_noise)
    kept = (~batch.drop_image).to(inputs).view(-1, 1, 1, 1)
    return LatentPairs(
        outputs=outputs * scaling_factor,
        inputs=inputs * kept,
        changed=((outputs - inputs) * scaling_factor).abs().mean(1, keepdim=True) > CHANGE_THRESHOLD,
    )
