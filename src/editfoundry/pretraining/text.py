"""The tokenizer and text encoder of the embedded models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from editfoundry.tinyworld.edits import (
    ADD_WORDINGS,
    BACKGROUND_WORDINGS,
    COLOUR_WORDINGS,
    REMOVE_WORDINGS,
    REPLACE_WORDINGS,
)
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

MAX_LENGTH = 40
"""Tokens of a prompt, start and end included."""
HIDDEN_SIZE = 128
VOCABULARY_SIZE = 1716
_NUM_CAPTIONS = 4000


def build_tokenizer(work_dir: Path) -> CLIPTokenizer:
    """Learn CLIP's byte-level BPE from captions and from the wordings of the training split."""
    folder = work_dir / "tokenizer"
    if not (folder / "tokenizer_config.json").exists():
        vocabulary, merges = _learn_bpe()
        CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_LENGTH).save_pretrained(folder)
        (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    return CLIPTokenizer.from_pretrained(folder)


def text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    """Return the size of the embedded text encoder."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN_SIZE,
        projection_dim=HIDDEN_SIZE,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return an untrained text encoder."""
    return CLIPTextModel(text_config(tokenizer))


def token_ids(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> Tensor:
    """Return ``(N, MAX_LENGTH)`` int64, padded and truncated as diffusers' pipelines do it."""
    encoded = tokenizer(list(texts), padding="max_length", max_length=MAX_LENGTH, truncation=True)
    return torch.tensor(encoded["input_ids"], dtype=torch.int64)


def _learn_bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    tokenizer = CLIPTokenizer().backend_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    # The letters that end words are named, since the trainer would number those it meets in hash order.
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - 2,
        initial_alphabet=alphabet,
        special_tokens=letters[len(alphabet) :],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    learned = json.loads(tokenizer.to_str())["model"]["merges"]
    merges = [(first, second) for first, second in learned]
    tokens = dict.fromkeys([*letters, *(first + second for first, second in merges)])
    special = ["<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate([*tokens, *special])}, merges


def _corpus() -> list[str]:
    captions = [sample_scene(random_stream("tokenizer", i)).caption for i in range(_NUM_CAPTIONS)]
    world = [wording for rule in trained_rules() for wording in rule.wordings] * 20
    plain = ADD_WORDINGS + REMOVE_WORDINGS + REPLACE_WORDINGS + COLOUR_WORDINGS + BACKGROUND_WORDINGS
    return [*captions, *world, *(wording for wording in plain for _ in range(100))]
