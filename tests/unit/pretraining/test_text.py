"""The embedded tokenizer and text encoder."""

from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer

from editfoundry.pretraining.text import (
    HIDDEN_SIZE,
    MAX_LENGTH,
    build_text_encoder,
    build_tokenizer,
    token_ids,
)
from editfoundry.tinyworld.rules import all_rules
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tmp_path_factory.mktemp("text"))


def test_captions_and_instructions_survive_a_round_trip(tokenizer: CLIPTokenizer) -> None:
    texts = [sample_scene(random_stream("tokenizer test", i), "test").caption for i in range(50)]
    texts += [w.lower() for rule in all_rules() for w in rule.wordings[:1] + rule.held_out_wordings]
    for text in texts:
        decoded = tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)
        assert decoded.replace(" ", "") == text.replace(" ", "")


def test_every_caption_and_instruction_fits(tokenizer: CLIPTokenizer) -> None:
    captions = [sample_scene(random_stream("length", i), "test", num_objects=2).caption for i in range(200)]
    instructions = [w for rule in all_rules() for w in rule.wordings + rule.held_out_wordings]
    assert max(len(tokenizer(text)["input_ids"]) for text in captions + instructions) <= MAX_LENGTH


def test_texts_are_padded_with_the_end_token_and_cut_to_the_length(tokenizer: CLIPTokenizer) -> None:
    ids = token_ids(tokenizer, ["", "a red apple in a meadow", "apple " * 100])
    assert ids.shape == (3, MAX_LENGTH)
    assert (ids[:, 0] == tokenizer.bos_token_id).all()
    assert (ids[:, -1] == tokenizer.eos_token_id).all()
    assert (ids[0, 1:] == tokenizer.eos_token_id).all()


def test_a_tokenizer_that_was_learned_before_is_loaded_and_not_learned_again(tmp_path: Path) -> None:
    learned, loaded = build_tokenizer(tmp_path), build_tokenizer(tmp_path)
    assert learned.get_vocab() == loaded.get_vocab()
    text = "Drop the egg on the floor."
    assert learned(text)["input_ids"] == loaded(text)["input_ids"]


def test_the_text_encoder_is_of_the_embedded_size(tokenizer: CLIPTokenizer) -> None:
    embeds = build_text_encoder(tokenizer)(token_ids(tokenizer, ["a red apple", ""]))[0]
    assert embeds.shape == (2, MAX_LENGTH, HIDDEN_SIZE)
    assert torch.isfinite(embeds).all()


def test_learning_the_tokenizer_twice_gives_the_same_tokenizer(tmp_path: Path) -> None:
    first, second = build_tokenizer(tmp_path / "first"), build_tokenizer(tmp_path / "second")
    assert first.get_vocab() == second.get_vocab()
