"""Inpainting with a UNet that sees the mask and the picture around it, on latents of any number of channels.

diffusers' own pipeline does it on latents of four channels alone, and is used there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators

_GREY = (128, 128, 128)
"""Of the hole, as the UNet sees the picture."""


@torch.inference_mode()
def inpaint_seeing_mask(
    pipeline: Any,
    prompts: Sequence[str],
    images: Sequence[Image.Image],
    masks: Sequence[Image.Image],
    seeds: Sequence[int],
    num_inference_steps: int,
    guidance_scale: float,
) -> list[Image.Image]:
    """Paint prompts into the masks of pictures of one size; a picture is the same alone and in any batch.

    Args:
        pipeline: a ``StableDiffusionInpaintPipeline``; its UNet takes ``2C + 1`` channels of latents of ``C``.
        prompts: one a picture.
        images: RGB.
        masks: of each picture, 8-bit grey, white where to paint, black elsewhere.
        seeds: of each picture.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompts.
    """
    holed = [
        Image.composite(Image.new("RGB", image.size, _GREY), image.convert("RGB"), mask)
        for image, mask in zip(images, masks, strict=True)
    ]
    known = encode(pipeline, holed)
    holes = torch.from_numpy(np.stack([np.asarray(mask) for mask in masks]))[:, None].to(known) / 255
    seen = torch.cat([interpolate(holes, known.shape[-2:]), known], dim=1)
    noise = noise_like(torch.empty_like(known), seeded_generators(seeds))
    embeds = encode_prompts(pipeline, list(prompts))
    latents = denoise(_Parts(pipeline, seen), embeds, noise, num_inference_steps, guidance_scale)
    return decode(pipeline, latents)


class _Parts:
    """A pipeline's parts, whose UNet sees something beside the latents."""

    def __init__(self, pipeline: Any, seen: Tensor) -> None:
        self._pipeline, self.unet = pipeline, _SeeingUNet(pipeline.unet, seen)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)


class _SeeingUNet:
    def __init__(self, unet: Any, seen: Tensor) -> None:
        self._unet, self._seen = unet, seen

    def __call__(self, latents: Tensor, *others: Any, **more: Any) -> Any:
        # With guidance, the null condition's rows come first.
        seen = self._seen.repeat(len(latents) // len(self._seen), 1, 1, 1)
        return self._unet(torch.cat([latents, seen], dim=1), *others, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unet, name)
