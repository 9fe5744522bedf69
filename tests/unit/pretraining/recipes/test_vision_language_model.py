"""The recipe of the embedded vision-language model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import nn

from editfoundry.judging.judge_prompts import DESCRIBE, QUESTIONS, fixed_texts, question_text
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.pretraining.judge_reading import READING, ReadingLesson
from editfoundry.pretraining.judge_text import build_judge_tokenizer, encode_example
from editfoundry.pretraining.judged_pairs import sample_judged_pair
from editfoundry.pretraining.measure_judge import DROPPED, measure_vision_language_model
from editfoundry.pretraining.recipes.vision_language_model import (
    CONFIG,
    NUM_PATCHES,
    WORD_WEIGHT,
    answer_loss,
    build_llava_processor,
    build_vision_language_model,
    train_vision_language_model,
)
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

CPU = choose_runtime("cpu")
MAX_BYTES = int(4.5 * 2**20)


@pytest.fixture(scope="module")
def tokenizer():
    return build_judge_tokenizer()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after two steps, saved as it is shipped, and the profile that names it."""
    folder = tmp_path_factory.mktemp("recipe")
    clip = load_clip(load_profile("embedded"), CPU).model
    vae = AutoencoderKL.from_pretrained(EMBEDDED_FOLDER / "text_to_image" / "vae")
    config = replace(CONFIG, num_steps=2, batch_size=4, num_warmup_steps=1)
    model, processor, result = train_vision_language_model(
        folder / "work",
        clip,
        vae,
        torch.device("cpu"),
        config,
        num_pairs=8,
        reading=replace(READING, num_steps=2, batch_size=2, num_warmup_steps=1),
    )
    model.half().save_pretrained(folder / "vlm")
    processor.save_pretrained(folder / "vlm")
    roles = {"vision_language_model": folder / "vlm", "text_to_image": EMBEDDED_FOLDER / "text_to_image"}
    (folder / "mine.toml").write_text("".join(f'[{role}]\nmodel = "{path}"\n' for role, path in roles.items()))
    return folder, load_profile(folder / "mine.toml"), result, clip


def test_every_sentence_of_the_judge_is_one_token_and_texts_survive(tokenizer):
    for text in fixed_texts():
        assert len(tokenizer(text)["input_ids"]) == 1, text
    for number in range(20):
        caption = sample_scene(random_stream("judge text", number), "test").caption
        assert tokenizer.decode(tokenizer(caption)["input_ids"]) == caption


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_training_examples_are_the_chats_that_the_processor_writes(tokenizer, question):
    processor = build_llava_processor(tokenizer)
    prompt = question_text(question, "a snowman on a street", "Let it melt.", "a puddle on a street")
    count = 2 if question.shows_input else 1
    content = [*({"type": "image"} for _ in range(count)), {"type": "text", "text": prompt}]
    answer = {"role": "assistant", "content": [{"type": "text", "text": "1 it shows a snowman"}]}
    chat = processor.apply_chat_template([{"role": "user", "content": content}, answer], tokenize=False)
    images = [Image.new("RGB", (64, 64))] * count
    expected = processor(text=[chat], images=[images], return_tensors="pt", add_special_tokens=False)["input_ids"][0]
    ids, start = encode_example(tokenizer, prompt, "1 it shows a snowman", count * NUM_PATCHES)
    assert ids == expected.tolist()
    assert tokenizer.decode(ids[start:]) == "1 it shows a snowman</s>"
    assert len(ids) <= 128 + 64


@torch.no_grad()
def test_the_loss_counts_numbers_in_full_words_in_part_and_prompts_not(trained, tokenizer):
    folder, profile, *_ = trained
    model = load_vision_language_model(profile, CPU).model
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    examples = [encode_example(tokenizer, DESCRIBE, "a red apple", NUM_PATCHES)]
    ids, start = torch.tensor([examples[0][0]]), examples[0][1]
    pixels = torch.from_numpy(picture).permute(0, 3, 1, 2) / 127.5 - 1
    logits = model(input_ids=ids, pixel_values=pixels).logits[0, start - 1 : -1]
    losses = nn.functional.cross_entropy(logits, ids[0, start:], reduction="none")
    weights = torch.tensor([1.0, *[WORD_WEIGHT] * (len(losses) - 1)])
    expected = (losses * weights).sum() / weights.sum()
    torch.testing.assert_close(answer_loss(model, picture, examples, tokenizer.pad_token_id), expected)
    longer = [*examples, encode_example(tokenizer, DESCRIBE + " now now", "5", NUM_PATCHES)]
    alone = answer_loss(model, picture, longer[1:], tokenizer.pad_token_id)
    both = answer_loss(model, picture.repeat(2, 0), longer, tokenizer.pad_token_id)
    shares = torch.tensor([weights.sum(), 1 + WORD_WEIGHT])
    torch.testing.assert_close(both, (expected * shares[0] + alone * shares[1]) / shares.sum())


def test_reading_is_learned_from_the_captions_alone(tokenizer):
    """Without any picture the model learns which of two pairs is a true outcome and which is unchanged."""
    torch.manual_seed(0)
    clip = load_clip(load_profile("embedded"), CPU).model
    model = build_vision_language_model(tokenizer, clip)
    pairs = [
        sample_judged_pair(random_stream("lesson", i), "train", kind) for i, kind in enumerate(("true", "unchanged"))
    ]
    lesson = ReadingLesson(tokenizer, pairs, 6, 0.0)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    for step in range(80):
        loss = lesson(model, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Who cannot tell the pairs apart has log 2 for two questions of three.
    losses = [float(lesson(model, torch.Generator().manual_seed(900 + step)).detach()) for step in range(3)]
    assert np.mean(losses) < 0.4


def test_the_shipped_files_are_small_and_load_as_the_role(trained):
    folder, profile, result, _ = trained
    assert result.num_steps == 2 and np.isfinite(result.final_loss)
    assert sum(path.stat().st_size for path in (folder / "vlm").iterdir()) <= MAX_BYTES
    judge = load_vision_language_model(profile, CPU)
    assert judge.takes_several_images and sum(p.numel() for p in judge.model.parameters()) <= 2_200_000
    assert {path.suffix for path in (folder / "vlm").iterdir()} <= {".safetensors", ".json", ".jinja"}


def test_training_starts_from_clips_vision_tower(trained):
    folder, profile, _, clip = trained
    tower = load_vision_language_model(profile, CPU).model.model.vision_tower
    for name, weight in clip.vision_model.named_parameters():
        # Two steps and half precision move no weight far.
        assert (tower.get_parameter(name) - weight).abs().max() < 0.02, name


def test_measuring_gives_each_kinds_rate_and_their_balance(trained):
    measured = measure_vision_language_model(trained[1], CPU, num_pairs=2)
    dropped = [measured[f"dropped_{kind.replace(' ', '_')}"] for kind in DROPPED[:4]]
    assert measured["balanced_accuracy"] == pytest.approx((measured["kept_true"] + np.mean(dropped)) / 2)
    assert all(0 <= value <= 1 for value in measured.values())


def test_a_second_run_reads_the_pictures_it_drew(trained):
    [cached] = (trained[0] / "work" / "data").glob("judged-8-*.npy")
    assert np.load(cached).shape == (8, 2, 64, 64, 3) and Path(cached).stat().st_size > 8 * 2 * 64 * 64 * 3
