"""The recipe of the embedded video-language model, and the language model's share in the video branch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.pretraining.chat_tokens import build_chat_tokenizer
from editfoundry.pretraining.drawn_pictures import rendered
from editfoundry.pretraining.measure_video_language_model import is_change_right, measure_video_language_model
from editfoundry.pretraining.quadruple_chats import ChatSampler
from editfoundry.pretraining.recipes.clip import twin_scenes
from editfoundry.pretraining.recipes.language_model import build_language_model, take_over
from editfoundry.pretraining.recipes.video_language_model import (
    CHANGE_WEIGHT,
    CONFIG,
    NUM_FRAME_TOKENS,
    NUM_FRAMES,
    description_loss,
    draw_pairs,
    film_frames,
    ruled_pairs,
    train_video_language_model,
)
from editfoundry.pretraining.storyline_chats import sample_storyline_chat, storyline_answer
from editfoundry.pretraining.storyline_tokens import build_storyline_tokenizer, encode_description
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.synthesis.quadruples.answers import json_objects, read_quadruple
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.tinyworld.clips.storylines import VIDEO_CATEGORIES, video_rules
from editfoundry.tinyworld.edits import sample_world_edit
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.storyline_text import describe_storyline

NUM_PAIRS = 30
MAX_BYTES = 3.5 * 2**20
SCENES = twin_scenes("train", NUM_PAIRS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after a few steps, the profile that names it as it is shipped, its processor, its losses, pictures."""
    folder = tmp_path_factory.mktemp("recipe")
    clip = load_clip(load_profile("embedded"), choose_runtime("cpu", "float32")).model
    config = replace(CONFIG, num_steps=6, batch_size=4, num_warmup_steps=1, learning_rate=3e-3)
    model, processor, result = train_video_language_model(folder, clip, torch.device("cpu"), config, NUM_PAIRS)
    model.half().save_pretrained(folder / "shipped")
    processor.save_pretrained(folder / "shipped")
    (folder / "mine.toml").write_text(f'[video_language_model]\nmodel = "{folder / "shipped"}"\n')
    return model.float(), load_profile(folder / "mine.toml"), result, rendered(folder / "data/twins-30.npy", SCENES)


def edits(split="train"):
    return [sample_world_edit(random_stream("edit", n), split, rule) for n, rule in enumerate(video_rules())]


def test_every_word_of_a_description_is_known_and_survives():
    tokenizer = build_storyline_tokenizer()
    for edit in edits("test"):
        for after in (edit.after, edit.before):
            text = describe_storyline(edit.before, after)
            ids, start = encode_description(tokenizer, text, 3)
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids[start:], skip_special_tokens=True) == text


def test_half_of_a_batch_is_what_rules_do_and_the_rest_are_twins():
    ruled = ruled_pairs(SCENES)
    rules = {(rule.kind, rule.before, rule.after) for rule in video_rules()}
    for first, last in ruled:
        pairs = zip(SCENES[first].objects, SCENES[last].objects, strict=True)
        assert [(old.kind, old.state, new.state) in rules for old, new in pairs if old.state != new.state] == [True]
    pairs = draw_pairs(ruled, len(SCENES), 400, torch.Generator().manual_seed(0))
    assert set(pairs[:200]) == set(ruled)
    assert all(first // 2 == last // 2 for first, last in pairs)
    assert 2 <= sum(first == last for first, last in pairs) <= 25


def test_a_camera_that_stands_still_changes_nothing_but_noise(trained):
    pictures = np.array(trained[3][:40]).reshape(20, 2, 64, 64, 3)
    filmed = film_frames(pictures, torch.Generator().manual_seed(0))
    assert filmed.shape == (20, 2, 3, 64, 64)
    plain = torch.from_numpy(pictures / 127.5 - 1).permute(0, 1, 4, 2, 3)
    still = (filmed - plain).abs().amax(dim=(1, 2, 3, 4)) < 0.15
    assert 2 <= still.sum() <= 16


@torch.no_grad()
def test_the_loss_is_the_classes_own_but_for_the_weight_of_what_has_become(trained):
    model, pictures = trained[0], np.array(trained[3][:4]).reshape(2, 2, 64, 64, 3)
    frames = film_frames(pictures, torch.Generator().manual_seed(0))
    tokenizer = build_storyline_tokenizer()
    texts = [describe_storyline(SCENES[0], SCENES[1]), describe_storyline(SCENES[2], SCENES[3])]
    examples = [encode_description(tokenizer, text, NUM_FRAMES * NUM_FRAME_TOKENS) for text in texts]
    total, weight = 0.0, 0.0
    for (ids, start), clip, text in zip(examples, frames, texts, strict=True):
        logits = model(input_ids=torch.tensor([ids]), pixel_values_videos=clip[None]).logits[0, start - 1 : -1]
        losses = nn.functional.cross_entropy(logits, torch.tensor(ids[start:]), reduction="none")
        said = len(tokenizer(text.split(" Then")[0], add_special_tokens=False)["input_ids"])
        weights = torch.tensor([1.0] * said + [CHANGE_WEIGHT] * (len(losses) - said))
        total, weight = total + (losses * weights).sum(), weight + weights.sum()
    torch.testing.assert_close(description_loss(model, frames, examples, tokenizer), total / weight)


def test_training_moves_the_video_tower_alone_and_what_is_shipped_is_small(trained):
    model, profile, result, _ = trained
    clip = load_clip(load_profile("embedded"), choose_runtime("cpu", "float32")).model.vision_model.state_dict()
    video, image = (tower.state_dict() for tower in (model.model.video_tower, model.model.image_tower))
    assert all(torch.equal(value, image[name]) for name, value in video.items())
    assert any((value - clip[name]).abs().max() > 1e-4 for name, value in video.items())
    assert result.num_steps == 6
    folder = load_video_language_model(profile, choose_runtime("cpu", "float32")).model.config.name_or_path
    files = list(Path(folder).iterdir())
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jinja"}


def test_the_shipped_model_answers_as_the_role_and_is_measured(trained):
    measured = measure_video_language_model(trained[1], choose_runtime("cpu", "float32"), num_storylines=3)
    assert set(measured) >= {"description_exact", "change_right", "unchanged_seen"}
    assert all(0 <= value <= 3 for value in measured.values())


def test_a_description_is_judged_by_the_change_alone():
    edit = next(e for e in edits() if len(e.before.objects) == 1 and e.before.objects[0].size == "large")
    right = describe_storyline(edit.before, edit.after)
    assert is_change_right(right, edit)
    assert is_change_right(right.replace(edit.before.background.phrase, "in a desert"), edit)
    assert not is_change_right(describe_storyline(edit.before, edit.before), edit)
    assert not is_change_right(describe_storyline(edit.after, edit.after), edit)
    assert not is_change_right("A person walks.", edit)


def test_the_language_models_answers_are_what_the_video_branch_reads():
    for edit in edits():
        (fields,) = json_objects(storyline_answer(edit))
        assert fields["category"] == edit.category and edit.category in VIDEO_CATEGORIES
        read = read_quadruple(fields, edit.category, "", QuadrupleConfig())
        assert (read.instruction, read.output_caption) == (edit.instruction, edit.after.caption)
    sampler = ChatSampler(load_exemplars("tinyworld"))
    chats = [sample_storyline_chat(sampler, random_stream("chats", number)) for number in range(60)]
    nulls = [chat for chat in chats if chat[-1].content == "null"]
    assert 1 <= len(nulls) <= 12 and all("Then nothing. Caption: " in chat[-2].content for chat in nulls)
    told = [(chat[-2].content.split(" Caption: ")[1], chat[-1].content) for chat in chats if chat not in nulls]
    right = [caption == json_objects(answer)[0]["input_caption"] for caption, answer in told]
    assert "none" in [caption for caption, _ in told] and 0.5 < sum(right) / len(right) < 0.95


def test_a_shipped_language_model_is_taken_over_word_by_word():
    tokenizer = build_chat_tokenizer(load_exemplars("tinyworld"))
    model = build_language_model(tokenizer)
    take_over(model, tokenizer, EMBEDDED_FOLDER / "language_model")

    shipped = PreTrainedTokenizerFast.from_pretrained(EMBEDDED_FOLDER / "language_model")
    old = LlamaForCausalLM.from_pretrained(EMBEDDED_FOLDER / "language_model", dtype=torch.float32)
    text = "<s><user>a small red apple on the left in a kitchen</s><assistant>"
    ids = [torch.tensor([t(text, add_special_tokens=False)["input_ids"]]) for t in (shipped, tokenizer)]
    with torch.no_grad():
        logits = old(ids[0]).logits[0, -1], model(ids[1]).logits[0, -1]
    for token in ("null", "▁apple", "</s>"):
        values = [logit[t.convert_tokens_to_ids(token)] for logit, t in zip(logits, (shipped, tokenizer), strict=True)]
        torch.testing.assert_close(*values)
