"""The role ``summarizer``: a tiny T5 that makes a caption of a long description of a tinyworld scene."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.summarizer import (
    MAX_PROMPT_TOKENS,
    NUM_WORDS,
    PROMPT,
    first_sentences,
    load_summarizer,
)
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.parallel_drawing import mapped
from editfoundry.pretraining.recipes.task_predictor import build_tokenizer
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

NUM_DESCRIPTIONS = 20_000
NUM_MEASURED = 300
OPENINGS = (
    "The image would show {first}", "In the picture there is {first}", "One would see {first}",
    "What the image will be like is clear: {first}", "After the change the image shows {first}",
)  # fmt: skip
FURTHER = (", and beside it there is {other}", ", together with {other}", ", while {other} can be seen as well")
PLACES = (
    "The whole scene is set {background}.", "All of this is {background}.", "It takes place {background}.",
    "The surroundings have not changed: everything is {background}.",
)  # fmt: skip
ENDINGS = (
    "The rest of the picture stays as it was.", "Alternatively, the image could be left alone.",
    "The mood of the image is calm.", "Overall, it is a simple scene with few things.",
)  # fmt: skip
"""What a model goes on with, which no summary needs."""
CONFIG = PretrainingConfig(
    num_steps=3000, batch_size=64, learning_rate=3e-3, weight_decay=0.05, max_grad_norm=1.0, ema_decay=0.995
)
ON_GPU = {"mixed_precision": "bf16"}


def train_summarizer(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_descriptions: int = NUM_DESCRIPTIONS,
) -> tuple[T5ForConditionalGeneration, PreTrainedTokenizerFast, PretrainingResult]:
    """Train on descriptions of the training split's scenes, asked for their captions as the loader asks."""
    told = [pair for block in mapped(partial(description_of, split="train"), range(num_descriptions)) for pair in block]
    asked, captions = [summary_prompt(text) for text, _ in told], [caption for _, caption in told]
    tokenizer = build_tokenizer([*asked, *captions])
    tokenizer.model_max_length = MAX_PROMPT_TOKENS
    torch.manual_seed(config.seed)
    model = T5ForConditionalGeneration(summarizer_config(len(tokenizer))).to(device)
    questions, answers = ([torch.tensor(ids) for ids in tokenizer(texts)["input_ids"]] for texts in (asked, captions))

    def step_loss(t5: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_descriptions, (config.batch_size,), generator=generator).tolist()
        pad = nn.utils.rnn.pad_sequence
        ids = pad([questions[index] for index in chosen], batch_first=True, padding_value=0).to(device)
        labels = pad([answers[index] for index in chosen], batch_first=True, padding_value=-100).to(device)
        return t5(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss

    return model, tokenizer, fit(model, step_loss, config, work_dir / "summarizer")


def summarizer_config(vocabulary_size: int) -> T5Config:
    """Return the embedded T5's size."""
    return T5Config(
        vocab_size=vocabulary_size,
        d_model=96,
        d_kv=24,
        d_ff=192,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


def summary_prompt(text: str) -> str:
    """Return what the loader asks of a description."""
    return PROMPT.format(words=NUM_WORDS, text=first_sentences(text))


def description_of(number: int, split: Split) -> tuple[str, str]:
    """Return a long description of a scene, and the scene's caption."""
    random = random_stream("summarizer", split, number)
    scene = sample_scene(random, split)
    return described(random, scene), scene.caption


def described(random: np.random.Generator, scene: Scene) -> str:
    """Describe a scene in three sentences or more, of which the first two say everything."""

    def one(texts: tuple[str, ...]) -> str:
        return texts[int(random.integers(len(texts)))]

    first, *others = [thing.placed_phrase for thing in scene.objects] or ["nothing"]
    shown = one(OPENINGS).format(first=first) + "".join(one(FURTHER).format(other=other) for other in others)
    place = one(PLACES).format(background=scene.background.phrase)
    return " ".join([f"{shown}.", place, *random.permutation(ENDINGS)[: 1 + int(random.integers(3))]])


def measure_summarizer(profile: Profile, runtime: Runtime, num: int = NUM_MEASURED) -> dict[str, float]:
    """Return how many descriptions of held-out scenes become their captions, and the words of both.

    Beside it the share of captions that another description's summary would be: what saying anything gets.
    """
    summarizer = load_summarizer(profile, runtime)
    told = [description_of(number, "test") for number in range(num)]
    summaries = summarizer.summarize([text for text, _ in told])
    captions = [" ".join(caption.lower().split()) for _, caption in told]
    right = [_same(summary, caption) for summary, caption in zip(summaries, captions, strict=True)]
    others = [_same(summary, caption) for summary, caption in zip(summaries[1:], captions, strict=False)]
    return {
        "exact_match": float(np.mean(right)),
        "exact_match_of_anothers": float(np.mean(others)),
        "words_of_descriptions": float(np.mean([len(text.split()) for text, _ in told])),
        "words_of_summaries": float(np.mean([len(text.split()) for text in summaries])),
    }


def _same(summary: str, caption: str) -> bool:
    """Compare letters: the tokenizer puts spaces around marks."""
    return "".join(summary.lower().split()) == "".join(caption.split())
