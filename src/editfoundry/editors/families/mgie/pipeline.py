"""The diffusion parts of an MGIE editor in diffusers' layout."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, DiffusionPipeline, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor


class MgiePipeline(DiffusionPipeline):  # type: ignore[misc]
    """UNet, autoencoder and scheduler. A checkpoint's folders ``mllm`` and ``edit_head`` say what the UNet attends to.

    Args:
        vae: not scaled for the input picture, as InstructPix2Pix has it.
        unet: sees the input picture in its second four channels.
        scheduler: samples.
        sees_picture: whether the language model is shown the picture; without it, the editor is the paper's LGIE.
    """

    def __init__(
        self, vae: AutoencoderKL, unet: UNet2DConditionModel, scheduler: Any, sees_picture: bool = True
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, unet=unet, scheduler=scheduler)
        self.register_to_config(sees_picture=sees_picture)
        self.vae_scale_factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.vae_scale_factor)
