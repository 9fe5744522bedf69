"""Classifier-free guidance over two conditions, the input image and the instruction (InstructPix2Pix, eq. 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

Denoiser = Callable[..., Any]
"""A UNet, or what is called as one: ``(sample, timestep, encoder_hidden_states=..., return_dict=False)``."""


def combine_guidance(
    eps_full: Tensor,
    eps_image: Tensor,
    eps_null: Tensor,
    *,
    guidance_scale: float | Tensor,
    image_guidance_scale: float | Tensor,
    guidance_rescale: float = 0.0,
) -> Tensor:
    """Combine three predictions into the guided one, InstructPix2Pix eq. 3.

    ``eps(z,0,0) + s_I [eps(z,c_I,0) - eps(z,0,0)] + s_T [eps(z,c_I,c_T) - eps(z,c_I,0)]``; with v-prediction the same
    holds for ``v``, which is linear in ``eps`` at a given ``z``.

    Args:
        eps_full: ``(B, C, H, W)``, given image and instruction.
        eps_image: ``(B, C, H, W)``, given the image only.
        eps_null: ``(B, C, H, W)``, given neither.
        guidance_scale: ``s_T``, typically 7.5; a number, or ``(B, 1, 1, 1)``.
        image_guidance_scale: ``s_I``, typically 1.0 to 2.2; a number, or ``(B, 1, 1, 1)``.
        guidance_rescale: in [0, 1], see `rescale_guidance`; 0 leaves the sum as it is.
    """
    towards_image = image_guidance_scale * (eps_image - eps_null)
    towards_text = guidance_scale * (eps_full - eps_image)
    guided = eps_null + towards_text + towards_image
    return rescale_guidance(guided, eps_full, guidance_rescale) if guidance_rescale else guided


def rescale_guidance(guided: Tensor, eps_full: Tensor, guidance_rescale: float) -> Tensor:
    """Bring a guided prediction's spread back to that of the conditional one (Lin et al. 2023, section 3.4).

    Strong guidance widens the spread, which over-exposes pictures, above all with a zero-terminal-SNR schedule.

    Args:
        guided: ``(B, C, H, W)``.
        eps_full: ``(B, C, H, W)``, given both conditions.
        guidance_rescale: share of the rescaled prediction in the result, in [0, 1]; the paper's is 0.7.
    """
    spread, wanted = (eps.std(dim=(1, 2, 3), keepdim=True) for eps in (guided, eps_full))
    return guided * (guidance_rescale * (wanted / spread) + (1 - guidance_rescale))


def uses_guidance(guidance_scale: float, image_guidance_scale: float) -> bool:
    """Tell whether diffusers' pipeline guides at all; if not, it samples from the conditional prediction alone."""
    return guidance_scale > 1.0 and image_guidance_scale >= 1.0
