"""The role ``vision_language_model``: a tiny LLaVA that judges edits of tinyworld and captions its pictures.

Both pictures of a pair go in whole, before first: 64 image tokens each, and each token of the second finds its own
place in the first at one fixed distance, which rotary positions make easy to attend to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import (
    CLIPModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from editfoundry.judging.judge_prompts import DESCRIBE, QUESTIONS, Question, question_text
from editfoundry.pretraining.drawn_pictures import cached_array, to_pixels
from editfoundry.pretraining.judge_reading import READING, ReadingLesson
from editfoundry.pretraining.judge_text import (
    CHAT_TEMPLATE,
    IMAGE,
    Example,
    answer_losses,
    build_judge_tokenizer,
    encode_example,
    padded_batch,
)
from editfoundry.pretraining.judged_pairs import JudgedPair, judged_pictures, sample_judged_pair, seen_captions
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, first_part, fit, weights_hash
from editfoundry.pretraining.recipes.clip import build_image_processor
from editfoundry.tinyworld.scene import IMAGE_SIZE
from editfoundry.tinyworld.scene_sampling import random_stream

NUM_PAIRS = 8192
HIDDEN_SIZE = 128
PATCH_SIZE = 8
NUM_PATCHES = (IMAGE_SIZE // PATCH_SIZE) ** 2
WORD_WEIGHT = 0.15
"""Weight of each token of a reason in the loss, where the number itself has 1."""
CAPTION_SHARE = 0.5
"""Of a batch: captions have a word to learn for each thing to see, where a question has one number in all."""
UNSEEN_SHARE = 0.1
"""Of the questions: those that do not tell what the model itself would have said of the pictures."""
CONFIG = PretrainingConfig(num_steps=5000, batch_size=32, learning_rate=1e-3, weight_decay=0.05, ema_decay=0.995)
ON_GPU = {"batch_size": 64, "mixed_precision": "bf16"}
READING_SHARE = 0.2
"""At most, of the steps, and of the time where training has to be over at one: for what is learnt from text alone."""
_PAIR_QUESTIONS = tuple(question for question in QUESTIONS if question.shows_input)
_PICTURE_QUESTIONS = tuple(question for question in QUESTIONS if not question.shows_input)


def train_vision_language_model(
    work_dir: Path,
    clip: CLIPModel,
    vae: AutoencoderKL,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    reading: PretrainingConfig = READING,
    num_pairs: int = NUM_PAIRS,
) -> tuple[LlavaForConditionalGeneration, LlavaProcessor, PretrainingResult]:
    """Train on judged pairs of the training split, the vision tower of ``clip`` frozen, as published.

    First on text alone, see `judge_reading`; then with pictures. Half of every batch are captions of single pictures;
    the other half are questions, half of these about both pictures and half about the output alone: quality, success.
    ``num_pairs`` pairs are drawn and cached; half of them go through ``vae``, so as to look generated.
    """
    pairs = [sample_judged_pair(random_stream("judged", "train", i), "train") for i in range(num_pairs)]
    seen = [seen_captions(random_stream("judged", "seen", i), pair) for i, pair in enumerate(pairs)]
    pictures = _cached_pictures(work_dir / "data", pairs, vae)
    tokenizer = build_judge_tokenizer()
    torch.manual_seed(config.seed)
    model: Any = build_vision_language_model(tokenizer, clip)
    model.to(device)

    num_captions = round(CAPTION_SHARE * config.batch_size)
    num_both = (config.batch_size - num_captions) // 2
    pad = tokenizer.pad_token_id

    def step_loss(llava: Any, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pairs), (config.batch_size,), generator=generator).tolist()
        both, one, told = chosen[:num_both], chosen[num_both:-num_captions], chosen[-num_captions:]
        sides = torch.randint(2, (num_captions,), generator=generator).tolist()
        captions = [_caption_example(tokenizer, pairs[i], side) for i, side in zip(told, sides, strict=True)]
        asked_both = [_pair_example(tokenizer, pairs[i], seen[i], generator) for i in both]
        asked_one = [_picture_example(tokenizer, pairs[i], seen[i], generator) for i in one]
        both_loss = answer_loss(llava, pictures[both].reshape(-1, *pictures.shape[2:]), asked_both, pad)
        one_loss = answer_loss(llava, pictures[one, 1], asked_one, pad)
        return (both_loss + one_loss) / 2 + answer_loss(llava, pictures[told, sides], captions, pad, word_weight=1.0)

    num_reading_steps = min(reading.num_steps, max(1, round(READING_SHARE * config.num_steps)))
    reading = replace(first_part(reading, config, READING_SHARE), num_steps=num_reading_steps)
    fit(model, ReadingLesson(tokenizer, pairs, reading.batch_size, WORD_WEIGHT), reading, work_dir / "judge_reading")
    result = fit(model, step_loss, config, work_dir / "vision_language_model")
    return model, build_llava_processor(tokenizer), result


def build_vision_language_model(tokenizer: PreTrainedTokenizerFast, clip: CLIPModel) -> LlavaForConditionalGeneration:
    """Return a LLaVA with the CLIP's vision tower, frozen, and all else untrained.

    It reads the last layer but one, as published: CLIP learns nothing from what its last one makes of the patches. Its
    configuration says that it takes several pictures.
    """
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN_SIZE,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=clip.config.vision_config.to_dict(),
        text_config=text.to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=NUM_PATCHES,
        vision_feature_layer=-2,
        tie_word_embeddings=True,
        multi_image=True,
    )
    model: Any = LlavaForConditionalGeneration(config)
    model.float().model.vision_tower.load_state_dict(clip.float().vision_model.state_dict())
    model.model.vision_tower.requires_grad_(False)
    return model


def build_llava_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Return the processor: CLIP's of the embedded size, the tokenizer and the chat template."""
    return LlavaProcessor(
        build_image_processor(),
        tokenizer,
        patch_size=PATCH_SIZE,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )


def answer_loss(
    model: Any, pictures: np.ndarray, examples: Sequence[Example], pad_token_id: int, word_weight: float = WORD_WEIGHT
) -> Tensor:
    """Cross-entropy of the answers: of each the first token with weight 1, its words with ``word_weight`` each.

    Args:
        model: the LLaVA.
        pictures: ``(N, 64, 64, 3)`` uint8 RGB, those of the first example first.
        examples: token ids and where each answer begins.
        pad_token_id: fills up shorter examples.
        word_weight: of every token of an answer but its first.
    """
    ids, mask, labels = (tensor.to(model.device) for tensor in padded_batch(examples, pad_token_id))
    pixels = to_pixels(pictures).to(model.device)
    logits = model(input_ids=ids, attention_mask=mask, pixel_values=pixels, use_cache=False).logits
    return answer_losses(logits, labels, word_weight)


def _pair_example(
    tokenizer: PreTrainedTokenizerFast, pair: JudgedPair, seen: tuple[str, str], generator: torch.Generator
) -> Example:
    question = _PAIR_QUESTIONS[int(torch.randint(len(_PAIR_QUESTIONS), (), generator=generator))]
    prompt = _prompt(question, pair, seen, generator)
    return encode_example(tokenizer, prompt, pair.answer(question.name), 2 * NUM_PATCHES)


def _picture_example(
    tokenizer: PreTrainedTokenizerFast, pair: JudgedPair, seen: tuple[str, str], generator: torch.Generator
) -> Example:
    question = _PICTURE_QUESTIONS[int(torch.randint(len(_PICTURE_QUESTIONS), (), generator=generator))]
    prompt = _prompt(question, pair, seen, generator)
    return encode_example(tokenizer, prompt, pair.answer(question.name), NUM_PATCHES)


def _caption_example(tokenizer: PreTrainedTokenizerFast, pair: JudgedPair, side: int) -> Example:
    scene = (pair.edit.before, pair.output)[side]
    return encode_example(tokenizer, DESCRIBE, scene.caption, NUM_PATCHES)


def _prompt(question: Question, pair: JudgedPair, seen: tuple[str, str], generator: torch.Generator) -> str:
    edit = pair.edit
    captions = (edit.before.caption, edit.after.caption) if pair.tells_captions else ("", "")
    is_told = float(torch.rand((), generator=generator)) >= UNSEEN_SHARE
    told = seen if is_told else ("", "")
    return question_text(question, captions[0], edit.instruction, captions[1], told)


def _cached_pictures(folder: Path, pairs: Sequence[JudgedPair], vae: AutoencoderKL) -> np.ndarray:
    """Return ``(N, 2, 64, 64, 3)`` uint8: input and output of each pair, made once for each autoencoder."""
    path = folder / f"judged-{len(pairs)}-{weights_hash(vae)[:12]}.npy"
    shape = (len(pairs), 2, IMAGE_SIZE, IMAGE_SIZE, 3)
    return cached_array(path, shape, "uint8", lambda: judged_pictures(pairs, vae))
