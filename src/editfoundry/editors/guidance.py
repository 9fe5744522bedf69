"""Classifier-free guidance over two conditions, the input image and the instruction (InstructPix2Pix, eq. 3)."""

from __future__ import annotations

from torch import Tensor


def combine_guidance(
    eps_full: Tensor, eps_image: Tensor, eps_null: Tensor, *, guidance_scale: float, image_guidance_scale: float
) -> Tensor:
    """Combine three predictions into the guided one, InstructPix2Pix eq. 3.

    ``eps(z,0,0) + s_I [eps(z,c_I,0) - eps(z,0,0)] + s_T [eps(z,c_I,c_T) - eps(z,c_I,0)]``; with v-prediction the same
    holds for ``v``, which is linear in ``eps`` at a given ``z``.

    Args:
        eps_full: ``(B, C, H, W)``, given image and instruction.
        eps_image: ``(B, C, H, W)``, given the image only.
        eps_null: ``(B, C, H, W)``, given neither.
        guidance_scale: ``s_T``, typically 7.5.
        image_guidance_scale: ``s_I``, typically 1.0 to 2.2.
    """
    towards_image = image_guidance_scale * (eps_image - eps_null)
    towards_text = guidance_scale * (eps_full - eps_image)
    return eps_null + towards_text + towards_image


def uses_guidance(guidance_scale: float, image_guidance_scale: float) -> bool:
    """Tell whether diffusers' pipeline guides at all; if not, it samples from the conditional prediction alone."""
    return guidance_scale > 1.0 and image_guidance_scale >= 1.0
