"""Paints crops inside their masks: by blended latents, or by a model that sees the mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.masked_inpainting import inpaint_seeing_mask
from editfoundry.diffusion.prompt_embeds import encode_prompts
from editfoundry.diffusion.seeded_noise import noise_like, seeded_generators
from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.inpainting.cropping import masked_crop
from editfoundry.editors.families.inpainting.options import InpaintingOptions
from editfoundry.editors.holes import hole_at_size, hole_of, with_lost_cells
from editfoundry.editors.working_size import edit_at_working_size, native_size

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

DIFFUSERS_CHANNELS = 4
"""Of the latents that diffusers' inpainting pipelines take."""


@torch.inference_mode()
def inpaint_pictures(
    pipeline: Any, options: InpaintingOptions, requests: Sequence[EditRequest], *, sees_mask: bool
) -> list[Image.Image]:
    """Paint requests of any sizes; outside their masks the pictures keep their pixels.

    Args:
        pipeline: a text-to-image model, or an inpainting pipeline of diffusers.
        options: of the sampling.
        requests: each with a mask of its picture's size, 8-bit grey, white where to paint.
        sees_mask: whether ``pipeline`` is one that takes a mask.

    Returns:
        One RGB picture a request, of its size.

    Raises:
        Rejection: a mask is white nowhere.
    """
    crops = [masked_crop(request, options.context, native_size(pipeline)) for request in requests]
    paint = paint_masked if sees_mask else _blended
    painted = edit_at_working_size(
        pipeline, [crop.request for crop in crops], lambda group: paint(pipeline, options, group)
    )
    return [crop.paste(picture) for crop, picture in zip(crops, painted, strict=True)]


def _blended(pipeline: Painter, options: InpaintingOptions, group: Sequence[EditRequest]) -> list[Image.Image]:
    """Paint crops of one size with a text-to-image model, which keeps the latents outside the mask."""
    latents = encode(pipeline, [request.image for request in group])
    painted = inpaint(
        pipeline,
        encode_prompts(pipeline, [request.instruction for request in group]),
        latents,
        _latent_masks(group, latents),
        noise_like(latents, seeded_generators([request.seed for request in group])),
        options.num_inference_steps,
        options.guidance_scale,
    )
    return decode(pipeline, painted)


def _latent_masks(group: Sequence[EditRequest], latents: Tensor) -> Tensor:
    """Return ``(B, 1, h, w)`` bool: a latent is painted if any of its pixels is in the hole."""
    masks = np.stack([hole_of(request.mask) for request in group if request.mask])
    pixels = torch.from_numpy(masks)[:, None].float()
    return adaptive_max_pool2d(pixels, tuple(latents.shape[-2:])).to(latents.device) > 0


def paint_masked(pipeline: Any, options: InpaintingOptions, group: Sequence[EditRequest]) -> list[Image.Image]:
    """Paint crops of one size with a pipeline whose UNet sees the mask and the picture around it.

    Args:
        pipeline: an inpainting pipeline of diffusers; on latents of other than four channels only its parts are used.
        options: of the sampling.
        group: requests with pictures and masks of one size, 8-bit grey.

    Returns:
        RGB pictures of that size.
    """
    width, height = group[0].image.size
    holes = [hole_at_size(request.mask, (width, height)) for request in group if request.mask]
    # The UNet sees the mask at the latents' size, of each latent the upper left pixel.
    masks = [with_lost_cells(hole, pipeline.vae_scale_factor) for hole in holes]
    if pipeline.vae.config.latent_channels != DIFFUSERS_CHANNELS:
        return inpaint_seeing_mask(
            pipeline,
            [request.instruction for request in group],
            [request.image for request in group],
            masks,
            [request.seed for request in group],
            options.num_inference_steps,
            options.guidance_scale,
        )
    images: list[Image.Image] = pipeline(
        prompt=[request.instruction for request in group],
        image=[request.image for request in group],
        mask_image=masks,
        height=height,
        width=width,
        strength=1.0,
        num_inference_steps=options.num_inference_steps,
        guidance_scale=options.guidance_scale,
        generator=seeded_generators([request.seed for request in group]),
    ).images
    return images
