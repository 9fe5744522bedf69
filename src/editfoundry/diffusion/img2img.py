"""The last image-to-image pass, which takes away what inpainting and refinement leave of seams (EditWorld's code)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import SeededNoise

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


def img2img(
    pipeline: Painter,
    prompts: PromptEmbeds,
    original: Tensor,
    noise: SeededNoise,
    num_inference_steps: int,
    guidance_scale: float,
    strength: float = 0.5,
    negative: PromptEmbeds | None = None,
) -> Tensor:
    """Noise the pictures part of the way and denoise them with their captions (SDEdit).

    Args:
        pipeline: the text-to-image model.
        prompts: the ``B`` captions.
        original: ``(B, C, H, W)`` clean scaled latents of the pictures.
        noise: see `denoise`.
        num_inference_steps: steps of the scheduler; ``strength`` of them are done.
        guidance_scale: weight of the prompts.
        strength: share in (0, 1] of the way to noise; 1 forgets the pictures but for what the schedule keeps.
        negative: the null condition, ``B = 1``; by default the empty prompt.

    Returns:
        ``(B, C, H, W)`` clean scaled latents.
    """
    return denoise(
        pipeline,
        prompts,
        noise,
        num_inference_steps,
        guidance_scale,
        negative=negative,
        start=original,
        strength=strength,
    )
