"""Inpainting by blending latents at every step (EditWorld, text branch, step 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.synthesis.sampling import denoise

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def inpaint(
    pipeline: StableDiffusionPipeline,
    prompt_embeds: Tensor,
    original: Tensor,
    mask: Tensor,
    noise: Tensor,
    num_inference_steps: int,
    guidance_scale: float,
) -> Tensor:
    """Repaint what the mask allows: ``z_{t-1} = M * denoise(z_t, y_tar) + (1 - M) * q(z_ori, t-1)``.

    Args:
        pipeline: the text-to-image model.
        prompt_embeds: ``(B, L, D)``, of the output captions.
        original: ``(B, C, H, W)`` clean scaled latents of the input image.
        mask: ``(B, 1, H, W)`` bool; true where the picture may change.
        noise: ``(B, C, H, W)`` unit Gaussian; the start, and the noise of ``q``.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompt.

    Returns:
        ``(B, C, H, W)`` clean scaled latents, equal to ``original`` outside the mask.
    """
    scheduler: Any = pipeline.scheduler

    def blend(latents: Tensor, timestep: Tensor | None) -> Tensor:
        kept = original if timestep is None else scheduler.add_noise(original, noise, timestep.reshape(1))
        return torch.where(mask, latents, kept)

    return denoise(pipeline, prompt_embeds, noise, num_inference_steps, guidance_scale, after_step=blend)
