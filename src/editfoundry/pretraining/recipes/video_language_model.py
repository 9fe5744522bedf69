"""The role ``video_language_model``: a tiny Video-LLaVA that says what happens between two frames of a clip.

It sees the first and the last frame whole, 65 tokens each, the first before the last, and names what is there and what
has come of it; what made it so, the language model knows. Unlike the published one it trains its vision tower on, the
first three layers of the embedded CLIP, which learned no more of a picture than told it from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    CLIPModel,
    LlamaConfig,
    PreTrainedTokenizerFast,
    VideoLlavaConfig,
    VideoLlavaForConditionalGeneration,
    VideoLlavaProcessor,
)
from transformers.models.video_llava.image_processing_video_llava import VideoLlavaImageProcessor
from transformers.models.video_llava.video_processing_video_llava import VideoLlavaVideoProcessor

from editfoundry.pretraining.drawn_pictures import rendered, to_pixels
from editfoundry.pretraining.judge_text import IGNORED, IMAGE, Example, padded_batch
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.recipes.clip import NUM_PAIRS, twin_scenes
from editfoundry.pretraining.storyline_tokens import (
    CHAT_TEMPLATE,
    THEN,
    VIDEO,
    build_storyline_tokenizer,
    encode_description,
)
from editfoundry.tinyworld.clips.storylines import video_rules
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene
from editfoundry.tinyworld.storyline_text import describe_storyline

NUM_FRAMES = 2
HIDDEN_SIZE = 128
PATCH_SIZE = 8
NUM_VISION_LAYERS = 3
NUM_FRAME_TOKENS = (IMAGE_SIZE // PATCH_SIZE) ** 2 + 1
RULE_SHARE = 0.5
"""Of a batch: pairs that a rule of the video categories takes from first to last."""
UNCHANGED_SHARE = 0.05
CHANGE_WEIGHT = 2.0
"""Weight in the loss of the tokens that say what has come of it; those before it weigh 1."""
MOVED_SHARE = 0.6
"""Of the pairs: those filmed by a camera that moves."""
LARGEST_SHIFT, LARGEST_ZOOM = 0.08, 1.16
"""Of a moving camera, as shares of the picture's width, as tinyworld's clips have it."""
NOISE = 3.0
"""Largest standard deviation of the noise, of 255."""
CONFIG = PretrainingConfig(num_steps=9500, batch_size=16, learning_rate=1.5e-3, weight_decay=0.05, ema_decay=0.995)
ON_GPU = {"batch_size": 32, "mixed_precision": "bf16"}
Pair = tuple[int, int]
"""Numbers of the first and of the last picture."""


def train_video_language_model(
    work_dir: Path,
    clip: CLIPModel,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_pairs: int = NUM_PAIRS,
) -> tuple[VideoLlavaForConditionalGeneration, VideoLlavaProcessor, PretrainingResult]:
    """Train on twin scenes of the training split (`clip.twin_scenes`), whose cached pictures are filmed anew each time.

    Half of every batch are pairs that a rule takes from first to last; of the rest, a few do not change at all.
    """
    scenes = twin_scenes("train", num_pairs)
    pictures = rendered(work_dir / "data" / f"twins-{num_pairs}.npy", scenes)
    ruled = ruled_pairs(scenes)
    tokenizer = build_storyline_tokenizer()
    torch.manual_seed(config.seed)
    model: Any = build_video_language_model(tokenizer, clip)
    model.to(device)

    def step_loss(llava: Any, generator: torch.Generator) -> Tensor:
        pairs = draw_pairs(ruled, len(scenes), config.batch_size, generator)
        examples = [
            encode_description(
                tokenizer, describe_storyline(scenes[first], scenes[last]), NUM_FRAMES * NUM_FRAME_TOKENS
            )
            for first, last in pairs
        ]
        return description_loss(llava, film_frames(pictures[np.array(pairs)], generator), examples, tokenizer)

    result = fit(model, step_loss, config, work_dir / "video_language_model")
    model.model.image_tower.load_state_dict(model.model.video_tower.state_dict())
    return model, build_video_processor(tokenizer), result


def ruled_pairs(scenes: Sequence[Scene]) -> list[Pair]:
    """Return the pairs of twins that a rule of the video categories takes from first to last."""
    known = {(rule.kind, rule.before, rule.after) for rule in video_rules()}
    both_ways = [pair for number in range(0, len(scenes), 2) for pair in ((number, number + 1), (number + 1, number))]
    return [(first, last) for first, last in both_ways if _change(scenes[first], scenes[last]) in known]


def draw_pairs(ruled: Sequence[Pair], num_scenes: int, count: int, generator: torch.Generator) -> list[Pair]:
    """Draw the pairs of a batch."""
    num_ruled = round(RULE_SHARE * count) if ruled else 0
    pairs = [ruled[i] for i in torch.randint(max(1, len(ruled)), (num_ruled,), generator=generator).tolist()]
    unchanged = torch.rand(count - num_ruled, generator=generator) < UNCHANGED_SHARE
    for first, is_still in zip(
        torch.randint(num_scenes, (count - num_ruled,), generator=generator).tolist(), unchanged.tolist(), strict=True
    ):
        pairs.append((first, first if is_still else first ^ 1))
    return pairs


def film_frames(pictures: np.ndarray, generator: torch.Generator) -> Tensor:
    """Film pictures as tinyworld's clips are: a camera that moves between the frames, or does not, and noise.

    Args:
        pictures: ``(B, F, 64, 64, 3)`` uint8 RGB.
        generator: on the CPU.

    Returns:
        ``(B, F, 3, 64, 64)`` float, about [-1, 1].
    """
    count, num_frames = pictures.shape[:2]
    pixels = to_pixels(pictures.reshape(-1, *pictures.shape[2:]))
    moves = (torch.rand(count, generator=generator) < MOVED_SHARE).float().repeat_interleave(num_frames)
    shifts = (2 * torch.rand(count * num_frames, 2, generator=generator) - 1) * 2 * LARGEST_SHIFT * moves[:, None]
    zooms = 1 + (LARGEST_ZOOM - 1) * torch.rand(count * num_frames, generator=generator) * moves
    matrices = torch.zeros(count * num_frames, 2, 3)
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / zooms
    matrices[:, :, 2] = shifts
    grid = nn.functional.affine_grid(matrices, list(pixels.shape), align_corners=False)
    pixels = nn.functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    strengths = torch.rand(len(pixels), 1, 1, 1, generator=generator) * NOISE / 127.5
    pixels = pixels + strengths * torch.randn(pixels.shape, generator=generator)
    return pixels.reshape(count, num_frames, *pixels.shape[1:])


def build_video_language_model(
    tokenizer: PreTrainedTokenizerFast, clip: CLIPModel
) -> VideoLlavaForConditionalGeneration:
    """Return a Video-LLaVA with the CLIP's first layers as its towers and all else untrained.

    The tower of single pictures, which it is never given, stays frozen and becomes the tower of videos in the end.
    """
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN_SIZE,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = {**clip.config.vision_config.to_dict(), "num_hidden_layers": NUM_VISION_LAYERS}
    config = VideoLlavaConfig(
        vision_config=vision,
        text_config=text.to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        video_token_index=tokenizer.convert_tokens_to_ids(VIDEO),
        image_seq_length=NUM_FRAME_TOKENS - 1,
        video_seq_length=NUM_FRAMES * NUM_FRAME_TOKENS,
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    model: Any = VideoLlavaForConditionalGeneration(config)
    model.float()
    # As for the language model: from Llama's own 0.02, rare words stay one and the same vector for long.
    nn.init.normal_(model.model.language_model.embed_tokens.weight, std=HIDDEN_SIZE**-0.5)
    layers = clip.float().vision_model.state_dict()
    kept = {name: value for name, value in layers.items() if name in model.model.video_tower.state_dict()}
    for tower in (model.model.video_tower, model.model.image_tower):
        tower.load_state_dict(kept)
    model.model.image_tower.requires_grad_(False)
    return model


def build_video_processor(tokenizer: PreTrainedTokenizerFast) -> VideoLlavaProcessor:
    """Return the processor: frames 64 x 64 (bicubic), values in [-1, 1], the tokenizer and the chat template."""
    sizes: dict[str, Any] = {
        "size": {"shortest_edge": IMAGE_SIZE},
        "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    return VideoLlavaProcessor(
        VideoLlavaImageProcessor(**sizes),
        VideoLlavaVideoProcessor(**sizes),
        tokenizer,
        patch_size=PATCH_SIZE,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )


def description_loss(
    model: Any, frames: Tensor, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast
) -> Tensor:
    """Cross-entropy of the descriptions; what has come of it weighs more.

    Args:
        model: the Video-LLaVA.
        frames: ``(B, F, 3, 64, 64)`` float, about [-1, 1].
        examples: token ids and where each answer begins.
        tokenizer: knows what pads, and the word before what has come of it.
    """
    ids, mask, labels = (tensor.to(model.device) for tensor in padded_batch(examples, tokenizer.pad_token_id))
    hidden = model.model(
        input_ids=ids, attention_mask=mask, pixel_values_videos=frames.to(model.device), use_cache=False
    ).last_hidden_state
    places = labels[:, 1:] != IGNORED
    has_become = (labels == tokenizer.convert_tokens_to_ids(THEN)).cumsum(1)[:, 1:] > 0
    weights = torch.where(has_become, CHANGE_WEIGHT, 1.0)[places]
    logits = model.lm_head(hidden[:, :-1][places])
    losses = nn.functional.cross_entropy(logits, labels[:, 1:][places], reduction="none")
    return (losses * weights).sum() / weights.sum()


def _change(before: Scene, after: Scene) -> tuple[str, str, str]:
    old, new = next((o, n) for o, n in zip(before.objects, after.objects, strict=True) if o.state != n.state)
    return old.kind, old.state, new.state
