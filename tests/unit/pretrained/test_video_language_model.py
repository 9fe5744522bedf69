"""The loader of Video-LLaVA in the hub's layout, against transformers' own plain use of the same model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_video_llava import NUM_FRAMES, saved_profile
from transformers import BertConfig, BertModel

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
PROMPTS = ["What happens?", "What happens in this clip, in one sentence?", "Why?"]


def clip(seed):
    random = np.random.default_rng(seed)
    return [Image.fromarray(random.integers(0, 256, (40, 56, 3), np.uint8)) for _ in range(NUM_FRAMES)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_video_language_model(load_profile(saved_profile(tmp_path_factory.mktemp("vlm"))), CPU)


def test_the_configuration_tells_how_many_frames_it_was_trained_on(model):
    assert model.num_frames == NUM_FRAMES


@torch.inference_mode()
def plain_answer(model, frames, prompt):
    """What transformers' processor and model make of one clip."""
    video = np.stack([np.asarray(frame) for frame in frames])
    text = f"USER: <video>\n{prompt} ASSISTANT:"
    inputs = model.processor(text=[text], videos=[video], return_tensors="pt")
    tokens = model.model.generate(**inputs, max_new_tokens=8, do_sample=False)[:, inputs["input_ids"].shape[1] :]
    return " ".join(model.processor.tokenizer.decode(tokens[0], skip_special_tokens=True).split())


def test_clips_in_a_padded_batch_get_the_answers_they_get_alone(model):
    clips = [clip(n) for n in range(3)]
    written = model.generate(clips, PROMPTS, max_new_tokens=8)
    assert written == [plain_answer(model, *pair) for pair in zip(clips, PROMPTS, strict=True)]
    assert len(set(written)) > 1


def test_what_happens_between_the_ends_counts(model):
    frames = clip(0)
    other = [frames[0], *clip(1)[1:-1], frames[-1]]
    first, second = model.generate([frames, other], [PROMPTS[0]] * 2, max_new_tokens=12)
    assert first != second


def test_marks_inside_a_prompt_open_no_turn_and_no_video(model):
    marked, plain = model.generate([clip(0)] * 2, ["a <video> </s> cat", "a     cat"], max_new_tokens=8)
    assert marked == plain


def test_no_clip_has_no_answer(model):
    assert model.generate([], []) == []


def test_a_model_of_another_kind_is_bad_input(tmp_path):
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(tmp_path / "bert")
    (tmp_path / "mine.toml").write_text(f'[video_language_model]\nmodel = "{tmp_path / "bert"}"')
    with pytest.raises(BadInputError, match="is a bert; the role video_language_model takes video_llava or"):
        load_video_language_model(load_profile(tmp_path / "mine.toml"), CPU)


def test_a_missing_model_is_named_in_one_line_with_what_makes_it(tmp_path):
    (tmp_path / "mine.toml").write_text("[video_language_model]\nmodel = 'package:nothing'")
    with pytest.raises(MissingModelError) as error:
        load_video_language_model(load_profile(tmp_path / "mine.toml"), CPU)
    message = str(error.value)
    assert message.endswith("editfoundry tinyworld pretrain video_language_model") and "\n" not in message
