"""Inpainting by blending latents at every step (EditWorld, text branch, step 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import SeededNoise

if TYPE_CHECKING:
    from editfoundry.diffusion.image_conditions import ImageConditions
    from editfoundry.pretrained.text_to_image import Painter


def inpaint(
    pipeline: Painter,
    prompts: PromptEmbeds,
    original: Tensor,
    mask: Tensor,
    noise: SeededNoise,
    num_inference_steps: int,
    guidance_scale: float | Tensor,
    negative: PromptEmbeds | None = None,
    *,
    conditions: ImageConditions | None = None,
    start: Tensor | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Repaint what the mask allows: ``z_{t-1} = M * denoise(z_t, y_tar) + (1 - M) * q(z_ori, t-1)``.

    Args:
        pipeline: the text-to-image model.
        prompts: the ``B`` output captions.
        original: ``(B, C, H, W)`` clean scaled latents of the input image.
        mask: ``(B, 1, H, W)`` bool, true where the picture may change; or float in [0, 1], how far it may.
        noise: see `denoise`; also the noise of ``q``.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompts; one, or each picture's own, ``(B, 1, 1, 1)``.
        negative: the null condition, ``B = 1``; by default the empty prompt.
        conditions: pictures that steer the UNet beside the prompts.
        start: ``(B, C, H, W)`` clean scaled latents that the repainting sets out from, noised, instead of from noise.
        strength: with ``start``, the share in (0, 1] of the steps that is done, the last ones.

    Returns:
        ``(B, C, H, W)`` clean scaled latents, equal to ``original`` outside the mask.
    """
    is_soft = mask.is_floating_point()

    def blend(latents: Tensor, timestep: Tensor | None, scheduler: Any) -> Tensor:
        kept = original if timestep is None else scheduler.add_noise(original, noise.latents, timestep.reshape(1))
        return latents * mask + kept * (1 - mask) if is_soft else torch.where(mask, latents, kept)

    return denoise(
        pipeline,
        prompts,
        noise,
        num_inference_steps,
        guidance_scale,
        blend,
        negative=negative,
        conditions=conditions,
        start=start,
        strength=strength,
    )
