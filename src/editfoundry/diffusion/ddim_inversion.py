"""DDIM sampling and its inversion (Song et al. 2021, eq. 12 with sigma 0), for noise and v-prediction.

A step is linear in the latents and the UNet's output, ``z_{i+1} = a_i z_i + b_i f(z_i, t_i)``, so its inverse is
``z_i = (z_{i+1} - b_i f(z_i, t_i)) / a_i``. Inversion as it is commonly done takes ``f(z_{i+1}, t_i)`` on the right;
each further refinement puts the latents it has found there (fixed-point iteration, Pan et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.schedulers import PREDICTION_TYPES, scheduler_by_name
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

Predict = Callable[[Tensor, int], Tensor]
"""Latents ``(B, C, H, W)`` before step ``i``, and ``i``, in; the prediction, ``(B, C, H, W)``, out."""


@dataclass(frozen=True)
class DdimSchedule:
    """The steps of one run, from noise (step 0) to the clean latents."""

    timesteps: Tensor
    """``(N,)`` int64, falling."""
    alphas: tuple[float, ...]
    """``N + 1`` cumulative products of alpha: before each step, and after the last."""
    prediction_type: str

    @classmethod
    def of(cls, pipeline: Painter, num_inference_steps: int) -> DdimSchedule:
        """Return the steps on the pipeline's own noise schedule.

        Raises:
            BadInputError: the pipeline's scheduler is not of DDIM's family, or its UNet predicts the clean latents,
                from which the last step cannot be undone.
        """
        parts: Any = pipeline
        scheduler = scheduler_by_name("ddim", parts.scheduler)
        scheduler.set_timesteps(num_inference_steps, device=parts.unet.device)
        if scheduler.config.prediction_type not in PREDICTION_TYPES:
            known = " or ".join(PREDICTION_TYPES)
            raise BadInputError(f"DDIM is inverted here for {known}, not for {scheduler.config.prediction_type!r}")
        kept = scheduler.alphas_cumprod[scheduler.timesteps.cpu()].double().tolist()
        return cls(scheduler.timesteps, (*kept, float(scheduler.final_alpha_cumprod)), scheduler.config.prediction_type)

    def __len__(self) -> int:
        return len(self.timesteps)

    def scaled(self, latents: Tensor, index: int) -> Tensor:
        """Return the latents as the UNet sees them before step ``index``: as they are."""
        return latents

    def step(self, latents: Tensor, output: Tensor, index: int) -> Tensor:
        """Return the latents after step ``index``."""
        a, b = self._coefficients(index)
        return a * latents + b * output

    def step_back(self, latents: Tensor, output: Tensor, index: int) -> Tensor:
        """Return the latents before step ``index`` from those after it and the prediction made before it."""
        a, b = self._coefficients(index)
        return (latents - b * output) / a

    def noised(self, latents: Tensor, noise: Tensor, index: int) -> Tensor:
        """Return clean latents at the noise level before step ``index``."""
        alpha = self.alphas[index]
        return alpha**0.5 * latents + (1 - alpha) ** 0.5 * noise

    def _coefficients(self, index: int) -> tuple[float, float]:
        signal, noise = self.alphas[index] ** 0.5, (1 - self.alphas[index]) ** 0.5
        next_signal, next_noise = self.alphas[index + 1] ** 0.5, (1 - self.alphas[index + 1]) ** 0.5
        if self.prediction_type == "v_prediction":
            return next_signal * signal + next_noise * noise, next_noise * signal - next_signal * noise
        return next_signal / signal, next_noise - next_signal * noise / signal


def invert(
    schedule: DdimSchedule, predict: Predict, latents: Tensor, first: int = 0, num_refinements: int = 0
) -> list[Tensor]:
    """Return the latents before each step from ``first`` on, and last the clean latents themselves.

    Args:
        schedule: the steps to go back.
        predict: the UNet under the condition to invert with.
        latents: ``(B, C, H, W)`` clean, scaled.
        first: the earliest (noisiest) step that is inverted.
        num_refinements: fixed-point iterations of each step, each one UNet call; 0 is plain DDIM inversion.
    """
    trajectory = [latents]
    for index in reversed(range(first, len(schedule))):
        after, before = trajectory[-1], trajectory[-1]
        for _ in range(1 + num_refinements):
            before = schedule.step_back(after, predict(before, index), index)
        trajectory.append(before)
    return trajectory[::-1]


def sample(schedule: DdimSchedule, predict: Predict, latents: Tensor, first: int = 0) -> Tensor:
    """Return the clean latents that the steps from ``first`` on make of ``latents``, ``(B, C, H, W)``."""
    for index in range(first, len(schedule)):
        latents = schedule.step(latents, predict(latents, index), index)
    return latents


def predictor(
    pipeline: Painter,
    schedule: DdimSchedule,
    prompts: PromptEmbeds,
    guidance_scale: float = 1.0,
    negative: PromptEmbeds | None = None,
) -> Predict:
    """Return the UNet's prediction under prompts, with classifier-free guidance where the scale is not 1.

    Args:
        pipeline: its UNet predicts.
        schedule: names the timestep of each step.
        prompts: one for each of the ``B`` latents.
        guidance_scale: weight of the prompts.
        negative: the null condition, ``B`` rows; needed where the scale is not 1.
    """
    if guidance_scale == 1 or negative is None:
        return lambda latents, index: unet_output(pipeline, latents, schedule.timesteps[index], prompts)
    both = negative.followed_by(prompts)

    def guided(latents: Tensor, index: int) -> Tensor:
        output = unet_output(pipeline, torch.cat([latents] * 2), schedule.timesteps[index], both)
        null, conditional = output.chunk(2)
        return null + guidance_scale * (conditional - null)

    return guided


def unet_output(pipeline: Painter, latents: Tensor, timestep: Tensor, prompts: PromptEmbeds) -> Tensor:
    """Return what the UNet predicts, ``(B, C, H, W)``, for ``B`` latents and as many prompts."""
    unet: Any = pipeline.unet
    added = prompts.added_cond_kwargs() or None
    output: Tensor = unet(latents, timestep, prompts.prompt_embeds, added_cond_kwargs=added, return_dict=False)[0]
    return output
