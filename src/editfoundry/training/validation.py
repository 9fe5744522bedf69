"""The loss on data that is not trained on: always the same samples, noise and timesteps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from editfoundry.training.batches import Batch, Draws, draw_step, make_batch
from editfoundry.training.conditions import PromptEmbeds
from editfoundry.training.config import TrainingConfig
from editfoundry.training.pair_latents import PairLatents
from editfoundry.training.texts import TextCache

_SEED = 7_919
"""Added to the run's seed, so that validation shares no noise with training."""

LossOf = Callable[[Batch, PromptEmbeds], Tensor]


@dataclass(frozen=True)
class ValidationData:
    """Triplets that are only looked at."""

    latents: PairLatents
    texts: TextCache


def validation_draws(
    config: TrainingConfig, num_triplets: int, num_timesteps: int, latent_shape: tuple[int, ...], num_tokens: int
) -> Draws:
    """Draw the validation's samples: each triplet once, timesteps evenly spread, no dropout, no flip, no crop."""
    size = min(config.num_validation_samples, num_triplets)
    plain = replace(
        config, seed=config.seed + _SEED, batch_size=size, gradient_accumulation_steps=1, conditioning_dropout=0.0,
        token_dropout=0.0, horizontal_flip=False, random_crop=False,
    )  # fmt: skip
    draws = draw_step(
        plain, 0, num_triplets=num_triplets, num_timesteps=num_timesteps, latent_shape=latent_shape,
        num_tokens=num_tokens,
    )  # fmt: skip
    spread = ((torch.arange(size) + 0.5) / size * num_timesteps).long()
    return replace(draws, timesteps=spread)


@contextmanager
def evaluating(models: Sequence[nn.Module]) -> Iterator[None]:
    """Turn dropout off inside the ``with`` block."""
    before = [model.training for model in models]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for model, was_training in zip(models, before, strict=True):
            model.train(was_training)


def validate(
    data: ValidationData, draws: Draws, loss_of: LossOf, prompt_embeds: PromptEmbeds, accelerator: Accelerator,
    part_size: int, scaling_factor: float,
) -> float:  # fmt: skip
    """Return the mean loss over ``draws``, shared out among the processes.

    Args:
        data: what ``draws`` index.
        draws: from `validation_draws`.
        loss_of: the mean loss of a batch, a scalar.
        prompt_embeds: of ``data.texts``.
        accelerator: every process calls this at once.
        part_size: samples that go through the UNet together.
        scaling_factor: of the VAE.
    """
    size, rank, count = len(draws.indices), accelerator.process_index, accelerator.num_processes
    total = torch.zeros(2, device=accelerator.device)
    # Every process runs as often as the others, which sharded weights need.
    for start in range(0, size, part_size * count):
        begin = min(start + rank * part_size, size - 1)
        part = draws.part(slice(begin, min(begin + part_size, size)))
        counts = start + rank * part_size < size
        with torch.no_grad():
            loss = loss_of(make_batch(part, data.latents, data.texts, scaling_factor), prompt_embeds)
        total += torch.stack([loss.float(), torch.ones_like(loss)]) * len(part.indices) * counts
    summed, number = accelerator.reduce(total, "sum").tolist()
    return float(summed / number)
