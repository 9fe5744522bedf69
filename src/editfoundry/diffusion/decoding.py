"""Latents to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter

_PIXELS_AT_ONCE = 2**22
"""Four megapixels keep the decoder's activations within a few GiB."""


@torch.inference_mode()
def decode(pipeline: Painter, latents: Tensor) -> list[Image.Image]:
    """Turn ``(B, C, H, W)`` scaled latents into RGB images, a few megapixels at a time."""
    parts: Any = pipeline
    pixels_each = latents.shape[-2] * latents.shape[-1] * parts.vae_scale_factor**2
    images: list[Image.Image] = []
    with _safe_precision(parts.vae):
        unscaled = _unscaled(parts.vae.config, latents).to(parts.vae.dtype)
        for part in unscaled.split(max(1, _PIXELS_AT_ONCE // pixels_each)):
            pixels = parts.vae.decode(part, return_dict=False)[0]
            images += parts.image_processor.postprocess(pixels, output_type="pil")
    return images


@contextmanager
def _safe_precision(vae: Any) -> Iterator[None]:
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
