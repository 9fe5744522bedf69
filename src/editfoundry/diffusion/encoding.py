"""Pictures to latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.decoding import safe_precision, vae_passes

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.inference_mode()
def encode(pipeline: Painter, images: Sequence[Image.Image]) -> Tensor:
    """Return the posteriors' modes of RGB images of one size: ``(B, C, h, w)``, scaled as the UNet sees them."""
    parts: Any = pipeline
    pixels = parts.image_processor.preprocess([image.convert("RGB") for image in images])
    vae, unet = parts.vae, parts.unet
    with safe_precision(vae):

        def encoded(rows: slice) -> Tensor:
            modes: Tensor = vae.encode(pixels[rows].to(unet.device, vae.dtype)).latent_dist.mode()
            return modes

        latents = torch.cat(vae_passes(pixels.shape[-2] * pixels.shape[-1]).run(len(pixels), encoded))
    return _scaled(vae.config, latents).to(unet.dtype)


def _scaled(config: Any, latents: Tensor) -> Tensor:
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is None or std is None:
        return (latents - (config.shift_factor or 0)) * config.scaling_factor
    mean, std = (torch.tensor(v, dtype=latents.dtype, device=latents.device).view(1, -1, 1, 1) for v in (mean, std))
    return (latents - mean) * config.scaling_factor / std
