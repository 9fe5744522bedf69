"""Random models for the GPU's benchmark, saved as the hub lays them out: of the published sizes, or tiny ones.

Random weights change no time and no memory. The published configurations lie in ``tests/unit/pretrained/published``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tiny_models import tiny_pipeline, tiny_tokenizer
from tiny_painter import tiny_clip
from tiny_sam import tiny_sam_config
from tiny_sdxl import ip_adapter_tensors, tiny_controlnet, tiny_image_encoder, tiny_sdxl
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SamConfig,
)

from editfoundry.pretrained.segmenter import build_sam, save_sam

PUBLISHED = Path(__file__).parents[1] / "unit" / "pretrained" / "published"
NUM_TOKENS = 77
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
"""Of Stable Diffusion 1.5."""
SAM_HUGE = {
    "hidden_size": 1280,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "mlp_dim": 5120,
    "global_attn_indexes": [7, 15, 23, 31],
}


def save_models(folder: Path, size: str) -> Path:
    """Write an editor, SDXL with ControlNet and IP-Adapter, CLIP and SAM; return the profile that names them.

    Args:
        folder: to write into.
        size: ``full`` for the published sizes, ``tiny`` for the tests' own.
    """
    made = _full() if size == "full" else _tiny()
    made["editor"]().save_pretrained(folder / "editor")
    painter = made["painter"]()
    painter.save_pretrained(folder / "painter")
    made["controlnet"](painter.unet).save_pretrained(folder / "controlnet")
    for part in made["clip"]():
        part.save_pretrained(folder / "clip")
    image_encoder = made["image_encoder"]()
    models = folder / "ip_adapter" / "sdxl_models"
    image_encoder.save_pretrained(models / "image_encoder")
    tensors = ip_adapter_tensors(painter.unet, image_encoder.config.projection_dim)
    half = next(painter.unet.parameters()).dtype
    save_file({name: value.to(half) for name, value in tensors.items()}, models / "ip-adapter_sdxl.safetensors")
    sam_config = made["sam"]()
    save_sam(build_sam(sam_config), sam_config, folder / "segmenter")
    lines = [
        f'[{role}]\nmodel = "{folder / name}"\n'
        for role, name in (
            ("editor_base", "editor"),
            ("text_to_image", "painter"),
            ("controlnet_canny", "controlnet"),
            ("clip", "clip"),
            ("segmenter", "segmenter"),
            ("ip_adapter", "ip_adapter"),
        )
    ]
    lines.append('subfolder = "sdxl_models"\nweight_name = "ip-adapter_sdxl.safetensors"\n')
    profile = folder / "random.toml"
    profile.write_text("".join(lines))
    return profile


Makers = dict[str, Callable[..., Any]]


def _tiny() -> Makers:
    return {
        "editor": tiny_pipeline,
        "painter": tiny_sdxl,
        "controlnet": tiny_controlnet,
        "clip": tiny_clip,
        "image_encoder": tiny_image_encoder,
        "sam": tiny_sam_config,
    }


def _full() -> Makers:
    return {
        "editor": _editor,
        "painter": _painter,
        "controlnet": lambda unet: _published(ControlNetModel, "sdxl_controlnet_canny"),
        "clip": _clip,
        "image_encoder": lambda: _transformer(
            CLIPVisionModelWithProjection, CLIPVisionConfig, "ip_adapter_sdxl_image_encoder"
        ),
        "sam": lambda: SamConfig(vision_config=SAM_HUGE),
    }


def _editor() -> StableDiffusionInstructPix2PixPipeline:
    """InstructPix2Pix, in float32, as training starts from it."""
    with _made_on_the_gpu(torch.float32):
        text = CLIPTextConfig(
            vocab_size=49_408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
        )
        unet = UNet2DConditionModel.from_config(_config("instruct_pix2pix_unet"))
        vae, text_encoder = AutoencoderKL(**VAE), CLIPTextModel(text)
    return StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _painter() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=_published(AutoencoderKL, "sdxl_vae"),
        text_encoder=_transformer(CLIPTextModel, CLIPTextConfig, "sdxl_text_encoder"),
        text_encoder_2=_transformer(CLIPTextModelWithProjection, CLIPTextConfig, "sdxl_text_encoder_2"),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        unet=_published(UNet2DConditionModel, "sdxl_unet"),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        add_watermarker=False,
    )


def _clip() -> tuple[CLIPModel, CLIPProcessor]:
    model = _transformer(CLIPModel, CLIPConfig, "clip_vit_large_patch14")
    return model, CLIPProcessor(image_processor=CLIPImageProcessor(), tokenizer=_tokenizer())


def _published(kind: type[Any], name: str) -> Any:
    with _made_on_the_gpu(torch.bfloat16):
        return kind.from_config(_config(name))


def _transformer(kind: type[Any], config: type[Any], name: str) -> Any:
    with _made_on_the_gpu(torch.bfloat16):
        return kind(config(**_config(name)))


def _config(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PUBLISHED / f"{name}.json").read_text())
    return found


def _tokenizer() -> Any:
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = NUM_TOKENS
    return tokenizer


@contextmanager
def _made_on_the_gpu(dtype: torch.dtype) -> Iterator[None]:
    """Let models be made in this precision, where there is a GPU on it: its random numbers come faster."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            yield
    finally:
        torch.set_default_dtype(before)
