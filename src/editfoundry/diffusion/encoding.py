"""Pictures to latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.inference_mode()
def encode(pipeline: Painter, images: Sequence[Image.Image]) -> Tensor:
    """Return the posteriors' modes of RGB images of one size: ``(B, C, h, w)``, scaled as the UNet sees them."""
    parts: Any = pipeline
    pixels = parts.image_processor.preprocess([image.convert("RGB") for image in images])
    vae, unet = parts.vae, parts.unet
    upcast = vae.dtype == torch.float16 and vae.config.force_upcast
    if upcast:
        vae.to(torch.float32)
    latents = vae.encode(pixels.to(unet.device, vae.dtype)).latent_dist.mode()
    if upcast:
        vae.to(torch.float16)
    return _scaled(vae.config, latents).to(unet.dtype)


def _scaled(config: Any, latents: Tensor) -> Tensor:
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is None or std is None:
        return (latents - (config.shift_factor or 0)) * config.scaling_factor
    mean, std = (torch.tensor(v, dtype=latents.dtype, device=latents.device).view(1, -1, 1, 1) for v in (mean, std))
    return (latents - mean) * config.scaling_factor / std
