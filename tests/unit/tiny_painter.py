"""A random text-to-image model and a random CLIP of the real classes, and a profile that names them."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from tiny_models import IMAGE_SIZE, tiny_pipeline, tiny_tokenizer
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from editfoundry.data.record import Quadruple

CLIP_DIM = 16


def tiny_painter(prediction_type: str = "v_prediction") -> StableDiffusionPipeline:
    """The tiny editor's parts around a UNet of four channels: 32 px images, cross-attention at 16 x 16 and 8 x 8."""
    parts = tiny_pipeline(prediction_type=prediction_type, in_channels=4).components
    parts.pop("image_encoder", None)
    painter = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    painter.set_progress_bar_config(disable=True)
    return painter


def tiny_clip() -> tuple[CLIPModel, CLIPProcessor]:
    """One layer each, patches of 8 px."""
    torch.manual_seed(3)
    tokenizer = tiny_tokenizer()
    layer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**layer, "vocab_size": len(tokenizer), "max_position_embeddings": 24, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**layer, "image_size": IMAGE_SIZE, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=CLIP_DIM)
    sides = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    images = CLIPImageProcessor(size={"shortest_edge": IMAGE_SIZE}, crop_size=sides)
    return CLIPModel(config).eval(), CLIPProcessor(image_processor=images, tokenizer=tokenizer)


def save_models(folder: Path) -> Path:
    """Write the models in the hub's layout and a profile beside them; return the profile's path."""
    tiny_painter().save_pretrained(folder / "painter")
    tiny_pipeline(prediction_type="v_prediction").save_pretrained(folder / "editor")
    for part in tiny_clip():
        part.save_pretrained(folder / "clip")
    roles = {"text_to_image": "painter", "clip": "clip", "editor_base": "editor"}
    profile = folder / "tiny.toml"
    profile.write_text("".join(f'[{role}]\nmodel = "{folder / name}"\n' for role, name in roles.items()))
    return profile


def tiny_quadruples(count: int) -> list[Quadruple]:
    """Short captions of letters, which the tiny tokenizer knows."""
    things = ("cat", "dog", "cup", "egg", "hat", "sun")
    return [
        Quadruple(
            input_caption=f"a {thing} in sea",
            instruction=f"melt {thing}",
            output_caption=f"a wet {thing} in sea",
            keywords=(thing,),
            category="Physical-Trans",
            source=f"test:{number}",
        )
        for number, thing in enumerate(things[:count])
    ]
