"""The steps of any of diffusers' schedulers for pairs of pictures that share all their noise."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.schedulers import scheduler_by_name, scheduler_step
from editfoundry.diffusion.seeded_noise import SeededNoise

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True, eq=False)
class SharedNoiseSchedule:
    """One run of a scheduler over ``B`` pairs; see `paired_sampling.PairSchedule`.

    What the scheduler adds on the way (ancestral noise) is drawn from the pair's own generator, and both pictures of
    the pair get the same (InstructPix2Pix, section 3.1.2).
    """

    scheduler: Any
    """Its timesteps are set."""
    generators: list[torch.Generator]
    """``2B``: those of the first pictures, then, in the same states, those of the second."""

    @classmethod
    def of(cls, pipeline: Painter, name: str, num_inference_steps: int, noise: SeededNoise) -> SharedNoiseSchedule:
        """Return the steps of a scheduler, by its name, on the pipeline's noise schedule.

        Raises:
            BadInputError: diffusers has no such scheduler for this model.
        """
        parts: Any = pipeline
        scheduler = copy.deepcopy(scheduler_by_name(name, parts.scheduler)) if name else copy.deepcopy(parts.scheduler)
        scheduler.set_timesteps(num_inference_steps, device=noise.latents.device)
        return cls(scheduler, [*noise.fresh_generators(), *noise.fresh_generators()])

    @property
    def timesteps(self) -> Tensor:
        """``(N,)``, falling."""
        timesteps: Tensor = self.scheduler.timesteps
        return timesteps

    def __len__(self) -> int:
        return len(self.timesteps)

    def first_latents(self, noise: SeededNoise) -> Tensor:
        """Return the noise, ``(B, C, H, W)``, as strong as the first step wants it."""
        return noise.latents * self.scheduler.init_noise_sigma

    def scaled(self, latents: Tensor, index: int) -> Tensor:
        """Return the latents as the UNet sees them before step ``index``."""
        seen: Tensor = self.scheduler.scale_model_input(latents, self.timesteps[index])
        return seen

    def step(self, latents: Tensor, output: Tensor, index: int) -> Tensor:
        """Return the latents after step ``index``, ``(2B, C, H, W)``."""
        return scheduler_step(self.scheduler, output, self.timesteps[index], latents, self.generators)
