"""The recipe of the embedded language model."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from editfoundry.data.record import Quadruple
from editfoundry.pretrained.chat import Message, Request, Sampling
from editfoundry.pretrained.language_model import load_language_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.chat_tokens import IGNORED, build_chat_tokenizer, encode_chats
from editfoundry.pretraining.measure_language_model import measure_language_model
from editfoundry.pretraining.quadruple_chats import TASKS, ChatSampler, sample_true, sample_verified
from editfoundry.pretraining.recipes.language_model import CONFIG, answer_losses, inside_captions, train_language_model
from editfoundry.profiles import load_profile
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig
from editfoundry.synthesis.quadruples.exemplars import load_exemplars
from editfoundry.synthesis.quadruples.quadruple_prompts import NULL, Prompts, caption_answer, free_answer
from editfoundry.tinyworld.quadruple_truth import is_true
from editfoundry.tinyworld.scene_sampling import random_stream

EXEMPLARS = load_exemplars("tinyworld")
MAX_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def tokenizer():
    return build_chat_tokenizer(EXEMPLARS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after a few steps, saved as it is shipped, the profile that names it, and its losses."""
    folder = tmp_path_factory.mktemp("recipe")
    config = replace(CONFIG, num_steps=20, batch_size=3, num_warmup_steps=2, learning_rate=5e-3)
    *_, first = train_language_model(folder / "first", torch.device("cpu"), replace(config, num_steps=1))
    model, tokenizer, result = train_language_model(folder / "work", torch.device("cpu"), config)
    model.half().save_pretrained(folder / "lm")
    tokenizer.save_pretrained(folder / "lm")
    (folder / "mine.toml").write_text(f'[language_model]\nmodel = "{folder / "lm"}"\n')
    return folder / "lm", load_profile(folder / "mine.toml"), (first.final_loss, result.final_loss)


@pytest.mark.parametrize("task", TASKS)
def test_every_word_of_the_chats_is_known_and_answers_survive(tokenizer, task):
    for number in range(20):
        chat = TASKS[task](ChatSampler(EXEMPLARS, "test"), random_stream("chat", number))
        ids, labels = encode_chats(tokenizer, [chat])
        assert tokenizer.unk_token_id not in ids and ids.shape[1] <= 256
        answers = [message.content + "</s>" for message in chat if message.role == "assistant"]
        assert tokenizer.decode(labels[labels != IGNORED]).replace("</s> ", "</s>") == "".join(answers)


@pytest.mark.parametrize("category", TEXT_CATEGORIES)
def test_the_writers_own_chats_hold_no_unknown_word(tokenizer, category):
    prompts = Prompts.of(EXEMPLARS, QuadrupleConfig())
    quadruple = sample_true(random_stream("own chats", category), category, "test")
    chats = [
        (*prompts.from_caption(quadruple.input_caption, category, 2), Message("assistant", caption_answer(quadruple))),
        (*prompts.free(category, (0, 3), [free_answer([quadruple])]), Message("assistant", free_answer([quadruple]))),
        (*prompts.verify(quadruple), Message("assistant", category)),
    ]
    ids, labels = encode_chats(tokenizer, chats)
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(labels[2][labels[2] != IGNORED]) == category + "</s>"


def test_training_answers_are_true_and_some_are_null(tokenizer):
    sampler = ChatSampler(EXEMPLARS)
    asked = [sampler.from_caption(random_stream("asked", number)) for number in range(40)]
    assert 5 < sum(chat[-1].content == NULL for chat in asked) < 30
    verified = [sample_verified(random_stream("verified", number), "train") for number in range(40)]
    assert {category for _, category in verified} == {*TEXT_CATEGORIES, None}
    assert all(is_true(replace(quadruple, category=category)) for quadruple, category in verified if category)
    assert all(is_true(sampler.quadruple(random_stream(name), name)) for name in TEXT_CATEGORIES)


def test_what_no_rule_does_is_not_true():
    given = Quadruple(
        input_caption="a pumpkin on a street",
        instruction="Carve a face into the pumpkin.",
        output_caption="a jack-o'-lantern on a street",
        keywords=("pumpkin",),
        category="Implicit-Logic",
        source="",
    )
    assert is_true(given)
    for change in (
        {"category": "Story-Type"},
        {"instruction": "Bibbidi-bobbidi-boo!"},
        {"input_caption": "a photo"},
        {"output_caption": "a jack-o'-lantern on a beach"},
    ):
        assert not is_true(replace(given, **change))


@torch.no_grad()
def test_the_loss_is_of_answers_alone_and_padding_does_not_count(trained, tokenizer):
    model = load_language_model(trained[1], "cpu").model
    chats = [TASKS[task](ChatSampler(EXEMPLARS), random_stream("loss", task)) for task in TASKS]
    losses, weights = losses_of(model, tokenizer, chats)
    alone = [losses_of(model, tokenizer, [chat]) for chat in chats]
    torch.testing.assert_close(losses, torch.cat([loss for loss, _ in alone]))
    assert weights.tolist() == torch.cat([weight for _, weight in alone]).tolist()
    ids, labels = encode_chats(tokenizer, chats[-1:])
    start = int((labels[0] != IGNORED).nonzero()[0])
    logits = model(input_ids=ids).logits[0, start - 1 : -1]
    torch.testing.assert_close(alone[-1][0], nn.functional.cross_entropy(logits, ids[0, start:], reduction="none"))


def test_the_loss_falls_and_the_shipped_files_are_small(trained):
    folder, _, (first, mean) = trained
    # The mean is of all steps, the first one included.
    assert mean < first - 0.5
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MAX_BYTES
    assert {path.suffix for path in folder.iterdir()} <= {".safetensors", ".json", ".jinja"}


def test_the_shipped_model_answers_a_batch_as_the_role(trained):
    model = load_language_model(trained[1], "cpu")
    prompts = Prompts.of(EXEMPLARS, QuadrupleConfig())
    captions = ["a pumpkin on a street", "a small red apple on the left in a kitchen at night"]
    chats = [prompts.from_caption(caption, "Story-Type") for caption in captions]
    answers = model.answer([Request(chat=chat, seed=4) for chat in chats], Sampling(max_tokens=9))
    assert [answer.prompt_tokens > 30 and 1 <= answer.completion_tokens <= 9 for answer in answers] == [True, True]
    assert not any(answer.error for answer in answers) and model.prefixes.num_computed == 1


def test_measuring_runs_the_writer_and_counts_its_items(trained):
    measured = measure_language_model(trained[1], choose_runtime("cpu"), num_questions=5)
    assert all(isinstance(value, float) for value in measured.values())
    assert measured["num_answerable"] + measured["num_to_refuse"] == measured["num_verified"] == 5
    assert measured["num_caption_quadruples"] <= 5 and measured["num_free_quadruples"] <= 5


def losses_of(model, tokenizer, chats):
    ids, labels = encode_chats(tokenizer, chats)
    return answer_losses(model, ids, labels, inside_captions(tokenizer, ids))
