"""A random cascade of the real classes: 8 and 16 pixels, CLIP's text model or a T5 encoder."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from tiny_models import tiny_pipeline

from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.stage import stage_of

SIDES = (8, 16)


def tiny_pixel_unet(side: int, **settings: Any) -> UNet2DConditionModel:
    """Two levels on RGB; ``in_channels`` is 6 of super-resolution."""
    torch.manual_seed(side)
    given = {"in_channels": 3, **settings}
    if given["in_channels"] == 6:
        given = {"class_embed_type": "timestep", **given}
    return UNet2DConditionModel(
        sample_size=side,
        out_channels=given.pop("out_channels", 3),
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=2,
        cross_attention_dim=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **given,
    ).eval()


def tiny_cascade(downsampling: str = "learned", is_trained: bool = True) -> ImagenEditorPipeline:
    """A base model and super-resolution; ``is_trained`` gives the masked picture's channels random weights."""
    base = stage_of(tiny_pixel_unet(SIDES[0]), MaskedPictureEncoder(1, 4, downsampling))
    larger = stage_of(tiny_pixel_unet(SIDES[1], in_channels=6), MaskedPictureEncoder(0, 4, downsampling))
    if is_trained:
        torch.manual_seed(7)
        for stage in (base, larger):
            torch.nn.init.normal_(stage.unet.conv_in.weight[:, -4:], std=0.3)
    text = tiny_pipeline()
    return ImagenEditorPipeline(
        tokenizer=text.tokenizer,
        text_encoder=text.text_encoder,
        scheduler=DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            clip_sample=False,
            thresholding=True,
            sample_max_value=1.5,
        ),
        unet=base.unet,
        mask_encoder=base.mask_encoder,
        unet_2=larger.unet,
        mask_encoder_2=larger.mask_encoder,
    )
