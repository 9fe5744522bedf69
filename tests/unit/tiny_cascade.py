"""A random cascade of the real classes: 8 and 16 pixels, CLIP's text model or a T5 encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, IFPipeline, IFSuperResolutionPipeline, UNet2DConditionModel
from tiny_models import tiny_pipeline
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

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


def tiny_t5() -> tuple[Any, Any]:
    """A tokenizer of single letters and a T5 encoder for it."""
    letters = ["<pad>", "</s>", "<unk>", *(chr(code) for code in range(ord("a"), ord("z") + 1)), *"0123456789"]
    words = Tokenizer(models.WordLevel({letter: number for number, letter in enumerate(letters)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=12
    )
    torch.manual_seed(3)
    config = T5Config(vocab_size=len(letters), d_model=24, d_ff=32, d_kv=8, num_layers=1, num_heads=2)
    return tokenizer, T5EncoderModel(config).eval()


def save_tiny_if(folder: Path) -> tuple[Path, Path]:
    """Save DeepFloyd IF's classes, tiny: T5, a base of 8 pixels, super-resolution to 16; both predict a variance."""
    tokenizer, text_encoder = tiny_t5()
    told = {"out_channels": 6, "encoder_hid_dim": 24, "encoder_hid_dim_type": "text_proj"}
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", variance_type="learned_range", thresholding=True, sample_max_value=1.5
    )
    shared = {"tokenizer": tokenizer, "text_encoder": text_encoder, "scheduler": scheduler, "safety_checker": None}
    shared |= {"feature_extractor": None, "watermarker": None, "requires_safety_checker": False}
    IFPipeline(unet=tiny_pixel_unet(SIDES[0], **told), **shared).save_pretrained(folder / "base")
    larger = tiny_pixel_unet(SIDES[1], in_channels=6, **told)
    pipeline = IFSuperResolutionPipeline(unet=larger, image_noising_scheduler=scheduler, **shared)
    pipeline.save_pretrained(folder / "larger")
    return folder / "base", folder / "larger"
