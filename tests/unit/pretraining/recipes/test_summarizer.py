"""The recipe of the embedded summarizer: its descriptions, and that what it trains summarises."""

from pathlib import Path

import torch

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.summarizer import first_sentences
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import summarizer as recipe
from editfoundry.profiles import ModelReference, Profile
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene


def test_the_first_two_sentences_of_a_description_say_what_its_caption_says() -> None:
    for number in range(60):
        text, caption = recipe.description_of(number, "train")
        scene = sample_scene(random_stream("summarizer", "train", number), "train")
        first = first_sentences(text)
        assert caption == scene.caption and len(first) < len(text)
        assert all(thing.placed_phrase in first for thing in scene.objects)
        assert scene.background.phrase in first
    assert recipe.description_of(3, "train") == recipe.description_of(3, "train") != recipe.description_of(3, "test")


def test_a_short_training_learns_and_what_it_saves_is_loaded_and_measured(tmp_path: Path) -> None:
    config = PretrainingConfig(num_steps=30, batch_size=8, learning_rate=3e-3, num_warmup_steps=5, ema_decay=0.5)
    model, tokenizer, result = recipe.train_summarizer(tmp_path, torch.device("cpu"), config, 200)
    start = PretrainingConfig(num_steps=1, batch_size=8, learning_rate=3e-3, num_warmup_steps=0)
    _, _, first = recipe.train_summarizer(tmp_path / "first", torch.device("cpu"), start, 200)
    assert result.final_loss < first.final_loss
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "shipped")
    reference = ModelReference(role="summarizer", source=str(tmp_path / "shipped"))
    profile = Profile(name="tiny", models={"summarizer": reference})
    measured = recipe.measure_summarizer(profile, choose_runtime("cpu"), num=4)
    assert 0 <= measured["exact_match"] <= 1 and measured["words_of_descriptions"] > 20
