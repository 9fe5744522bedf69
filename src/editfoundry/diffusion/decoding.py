"""Latents to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.passes import VAE_PIXELS_AT_ONCE, Passes

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@torch.inference_mode()
def decode(pipeline: Painter, latents: Tensor) -> list[Image.Image]:
    """Turn ``(B, C, H, W)`` scaled latents into RGB images, a few megapixels at a time."""
    parts: Any = pipeline
    pixels_each = latents.shape[-2] * latents.shape[-1] * parts.vae_scale_factor**2
    with safe_precision(parts.vae):
        unscaled = _unscaled(parts.vae.config, latents).to(parts.vae.dtype)

        def decoded(rows: slice) -> list[Image.Image]:
            pixels = parts.vae.decode(unscaled[rows], return_dict=False)[0]
            return list(parts.image_processor.postprocess(pixels, output_type="pil"))

        images = [image for part in vae_passes(pixels_each).run(len(latents), decoded) for image in part]
    return images


def vae_passes(pixels_each: int) -> Passes:
    """Return how many pictures of so many pixels an autoencoder takes together."""
    return Passes(max(1, VAE_PIXELS_AT_ONCE // pixels_each))


@contextmanager
def safe_precision(vae: Any) -> Iterator[None]:
    """Let a VAE whose activations overflow float16, as SDXL's, compute in float32."""
    upcast = vae.dtype == torch.float16 and vae.config.force_upcast
    if upcast:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if upcast:
            vae.to(torch.float16)


def _unscaled(config: Any, latents: Tensor) -> Tensor:
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is None or std is None:
        return latents / config.scaling_factor + (config.shift_factor or 0)
    mean, std = (torch.tensor(v, dtype=latents.dtype, device=latents.device).view(1, -1, 1, 1) for v in (mean, std))
    return latents * std / config.scaling_factor + mean
