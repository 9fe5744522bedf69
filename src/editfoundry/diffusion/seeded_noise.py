"""Noise of pictures that depends on each one's own seed and on nothing else of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from editfoundry.diffusion.seeds import wrapped_seed


@dataclass(frozen=True)
class SeededNoise:
    """What ``B`` pictures are painted from: noise, and the generators that whatever follows is drawn from."""

    latents: Tensor
    """``(B, C, H, W)`` unit Gaussian."""
    generators: Sequence[torch.Generator]
    """``B`` of them, on the CPU, each as it is after it gave its picture's ``latents``."""

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, rows: Sequence[int]) -> SeededNoise:
        """Return the noise of these pictures."""
        return SeededNoise(self.latents[list(rows)], [self.generators[row] for row in rows])

    def fresh_generators(self) -> list[torch.Generator]:
        """Return the generators' copies, so that painting twice from one noise gives one picture."""
        return [generator.clone_state() for generator in self.generators]


def noise_like(latents: Tensor, generators: Sequence[torch.Generator]) -> SeededNoise:
    """Draw noise of the precision and on the device of ``latents``, ``(B, C, H, W)``, one generator for each row."""
    drawn = torch.stack([torch.randn(latents.shape[1:], generator=generator) for generator in generators])
    return SeededNoise(drawn.to(latents.device, latents.dtype), generators)


def seeded_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return a CPU generator for each seed; of seeds beyond 64 bits the lower 64 count."""
    return [torch.Generator().manual_seed(wrapped_seed(seed)) for seed in seeds]


def seeded_draws(like: Tensor, seeds: Sequence[int], num_draws: int) -> Tensor:
    """Return ``(num_draws, B, C, H, W)`` unit Gaussian noise of the kind of ``like``, one seed a row."""
    generators = seeded_generators(seeds)
    return torch.stack([noise_like(like, generators).latents for _ in range(num_draws)])
