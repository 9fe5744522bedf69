"""Random SDXL, ControlNet and IP-Adapter checkpoints of the real classes, saved as the hub lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tiny_models import IMAGE_SIZE, tiny_tokenizer
from tiny_painter import tiny_clip, tiny_painter
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

TEXT_DIMS = (16, 24)
"""Hidden sizes of the two text encoders; their states lie side by side in cross-attention."""
IMAGE_DIM = 12
"""Size of the image encoder's projected embedding."""


def tiny_sdxl(seed: int = 5) -> StableDiffusionXLPipeline:
    """Pooled embeddings, time ids, two text encoders; 32 px images, cross-attention at 8 x 8 alone, as SDXL's first
    level has none."""
    torch.manual_seed(seed)
    tokenizer, tokenizer_2 = tiny_tokenizer(), tiny_tokenizer()
    # SDXL's second tokenizer pads with another token than the first.
    tokenizer_2.pad_token = "a"
    encoders = [_text_config(len(tokenizer), width) for width in TEXT_DIMS]
    pipeline = StableDiffusionXLPipeline(
        vae=_vae().eval(),
        text_encoder=CLIPTextModel(encoders[0]).eval(),
        text_encoder_2=CLIPTextModelWithProjection(encoders[1]).eval(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=sdxl_unet().eval(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sdxl_unet(seed: int = 6) -> UNet2DConditionModel:
    """A UNet with SDXL's additions: no attention at the first level, linear projections, ``text_time`` embedding."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        cross_attention_dim=sum(TEXT_DIMS),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=TEXT_DIMS[1] + 6 * 8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )


def tiny_controlnet(unet: UNet2DConditionModel, seed: int = 7) -> ControlNetModel:
    """A ControlNet for 32 px images whose residuals are not zero, as they are before training."""
    torch.manual_seed(seed)
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
    for block in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
        torch.nn.init.normal_(block.weight, std=0.1)
    torch.nn.init.normal_(controlnet.controlnet_cond_embedding.conv_out.weight, std=0.5)
    return controlnet.eval()


def ip_adapter_tensors(unet: UNet2DConditionModel, image_dim: int = IMAGE_DIM, seed: int = 8) -> dict[str, Any]:
    """The tensors of a published IP-Adapter for ``unet``: 4 tokens, keys numbered 1, 3, 5, ..."""
    torch.manual_seed(seed)
    width = unet.config.cross_attention_dim
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * width, image_dim),
        "image_proj.proj.bias": torch.zeros(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            size = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape
            tensors |= {f"ip_adapter.{number}.to_{part}_ip.weight": torch.randn(size) for part in "kv"}
    return tensors


def tiny_image_encoder() -> CLIPVisionModelWithProjection:
    """One layer."""
    torch.manual_seed(9)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=IMAGE_SIZE,
        patch_size=8,
        projection_dim=IMAGE_DIM,
    )
    return CLIPVisionModelWithProjection(config).eval()


def save_branch(folder: Path, painter: Any) -> Path:
    """Write everything the whole text branch needs but a judge, and a profile beside it; return the profile's path."""
    painter.save_pretrained(folder / "painter")
    tiny_controlnet(painter.unet).save_pretrained(folder / "controlnet")
    for part in tiny_clip():
        part.save_pretrained(folder / "clip")
    models = folder / "ip_adapter" / "sdxl_models"
    tiny_image_encoder().save_pretrained(models / "image_encoder")
    save_file(ip_adapter_tensors(painter.unet), models / "ip-adapter_sdxl.safetensors")
    profile = folder / "branch.toml"
    profile.write_text(
        f'[text_to_image]\nmodel = "{folder}/painter"\n[controlnet_canny]\nmodel = "{folder}/controlnet"\n'
        f'[clip]\nmodel = "{folder}/clip"\n[ip_adapter]\nmodel = "{folder}/ip_adapter"\nsubfolder = "sdxl_models"\n'
        'weight_name = "ip-adapter_sdxl.safetensors"\n'
    )
    return profile


PAINTERS = {"sd": tiny_painter, "sdxl": tiny_sdxl}


def _text_config(vocabulary: int, width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=24,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        projection_dim=width,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        norm_num_groups=8,
        latent_channels=4,
        sample_size=IMAGE_SIZE,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.13025,
        force_upcast=True,
    )
