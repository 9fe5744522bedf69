"""Random LLaVAs of the real classes in the hub's layout: 32 px pictures of 16 patches, a tokenizer of bytes."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import VisionLanguageModel, load_vision_language_model
from editfoundry.profiles import load_profile

SIDE = 32
"""Pixels."""
PATCH = 8
# The chat templates of llava-hf/llava-1.5-7b-hf and of llava-hf/llava-onevision-qwen2-7b-ov-hf, in their shapes.
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
ONEVISION_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\n' + content['text'] }}"
    "{% endfor %}{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SPECIAL = ["<s>", "</s>", "<pad>", "<image>", "<|im_start|>", "<|im_end|>", "<video>"]
_TEXT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, so that a space before a digit is a token of its own; a start token before every text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*_SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=_SPECIAL[3:],
    )


def tiny_llava(multi_image: bool | None = None) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """A CLIP tower and a Llama; with ``multi_image``, a configuration that says so."""
    torch.manual_seed(5)
    tokenizer = byte_tokenizer()
    vision = CLIPVisionConfig(image_size=SIDE, patch_size=PATCH, projection_dim=16, **_TEXT)
    text = LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=2, bos_token_id=0, eos_token_id=1, **_TEXT)
    extra = {} if multi_image is None else {"multi_image": multi_image}
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=3, image_seq_length=16, **extra)
    images = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=LLAVA_TEMPLATE,
        num_additional_image_tokens=1,
    )
    return _lively(LlavaForConditionalGeneration(config)), processor


def tiny_onevision() -> tuple[LlavaOnevisionForConditionalGeneration, LlavaOnevisionProcessor]:
    """A SigLIP tower and a Qwen2; a picture that comes alone is cut into tiles."""
    torch.manual_seed(6)
    tokenizer = byte_tokenizer()
    pinpoints = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(image_size=SIDE, patch_size=PATCH, vision_use_head=False, **_TEXT),
        text_config=Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=2, eos_token_id=5, **_TEXT),
        image_token_index=3,
        video_token_index=6,
        image_grid_pinpoints=pinpoints,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    sides = {"height": SIDE, "width": SIDE}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=sides, image_grid_pinpoints=pinpoints),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=sides),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=ONEVISION_TEMPLATE,
    )
    return _lively(LlavaOnevisionForConditionalGeneration(config)), processor


def saved_profile(folder: Path, parts: tuple[object, ...]) -> Path:
    """Write a model and its processor as the hub lays them out, and a profile that names the folder."""
    for part in parts:
        part.save_pretrained(folder / "vlm")  # type: ignore[attr-defined]
    (folder / "vlm.toml").write_text(f'[vision_language_model]\nmodel = "{folder / "vlm"}"\n')
    return folder / "vlm.toml"


def loaded(folder: Path, parts: tuple[object, ...]) -> VisionLanguageModel:
    """Save and load."""
    return load_vision_language_model(load_profile(saved_profile(folder, parts)), choose_runtime("cpu"))


def _lively(model: torch.nn.Module) -> torch.nn.Module:
    """Draw larger weights: with the usual ones, a random model answers the same whatever it is shown."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()
