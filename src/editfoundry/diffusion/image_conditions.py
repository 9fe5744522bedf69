"""Pictures that steer a UNet beside its prompts: a ControlNet's edges and an IP-Adapter's image features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import PromptEmbeds

if TYPE_CHECKING:
    from diffusers import ControlNetModel


@dataclass(frozen=True, kw_only=True)
class ImageConditions:
    """``F_ctrl`` and ``f_ori`` of ``eps_ip(z_t, t, y_tar, f_ori, F_ctrl(canny))``; either may be absent."""

    controlnet: ControlNetModel | None = None
    control_images: Tensor | None = None
    """``(B, 3, H, W)`` float in [0, 1], RGB, in pixels of the pictures."""
    controlnet_conditioning_scale: float = 1.0
    """Factor of the ControlNet's residuals."""
    image_embeds: Tensor | None = None
    """``(B, 1, D)`` or ``(B, 1, T, D)``, one picture's features for each row."""
    negative_image_embeds: Tensor | None = None
    """The same shape, for the null condition."""

    def residuals(self, latents: Tensor, timestep: Tensor, prompts: PromptEmbeds, guided: bool) -> dict[str, Any]:
        """Return the ControlNet's residuals as keyword arguments of the UNet, for ``B`` or, guided, ``2B`` latents."""
        if self.controlnet is None or self.control_images is None:
            return {}
        images = torch.cat([self.control_images] * 2) if guided else self.control_images
        down, mid = self.controlnet(
            latents,
            timestep,
            prompts.prompt_embeds,
            images.to(latents),
            conditioning_scale=self.controlnet_conditioning_scale,
            added_cond_kwargs=prompts.added_cond_kwargs() or None,
            return_dict=False,
        )
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}

    def added_cond_kwargs(self, guided: bool) -> dict[str, list[Tensor]]:
        """Return the image features as the UNet takes them, the null condition's first."""
        if self.image_embeds is None:
            return {}
        if not guided:
            return {"image_embeds": [self.image_embeds]}
        negative = self.negative_image_embeds
        negative = torch.zeros_like(self.image_embeds) if negative is None else negative
        return {"image_embeds": [torch.cat([negative, self.image_embeds])]}
