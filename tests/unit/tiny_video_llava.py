"""A random Video-LLaVA of the real classes in the hub's layout: 32 px frames of 16 patches, a tokenizer of bytes."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_llava import PATCH, SIDE, byte_tokenizer
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
    VideoLlavaProcessor,
)
from transformers.models.video_llava.image_processing_video_llava import VideoLlavaImageProcessor
from transformers.models.video_llava.video_processing_video_llava import VideoLlavaVideoProcessor

_TEXT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
NUM_FRAMES = 8


def tiny_video_llava() -> tuple[VideoLlavaForConditionalGeneration, VideoLlavaProcessor]:
    """Two CLIP towers and a Llama."""
    torch.manual_seed(7)
    tokenizer = byte_tokenizer()
    config = VideoLlavaConfig(
        vision_config=CLIPVisionConfig(image_size=SIDE, patch_size=PATCH, projection_dim=16, **_TEXT),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), num_key_value_heads=2, bos_token_id=0, eos_token_id=1, **_TEXT
        ),
        image_token_index=3,
        video_token_index=6,
        image_seq_length=16,
        video_seq_length=17 * NUM_FRAMES,
    )
    sides = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    processor = VideoLlavaProcessor(
        VideoLlavaImageProcessor(**sides),
        VideoLlavaVideoProcessor(**sides),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    model = VideoLlavaForConditionalGeneration(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval(), processor


def saved_profile(folder: Path) -> Path:
    """Write model and processor as the hub lays them out, and a profile that names the folder."""
    for part in tiny_video_llava():
        part.save_pretrained(folder / "video_llm")
    (folder / "video_llm.toml").write_text(f'[video_language_model]\nmodel = "{folder / "video_llm"}"\n')
    return folder / "video_llm.toml"
