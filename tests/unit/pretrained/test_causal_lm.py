"""The local language model: seeded answers that do not depend on the batch, and beginnings computed once."""

from dataclasses import replace

import pytest
import torch
from tiny_llama import save_tiny_llama
from transformers import LogitsProcessorList

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.causal_lm import chat_tokens
from editfoundry.pretrained.chat import Message, Request, Sampling
from editfoundry.pretrained.language_model import load_language_model
from editfoundry.pretrained.prefix_cache import PrefixCache
from editfoundry.pretrained.token_sampling import pick_tokens
from editfoundry.profiles import load_profile

SAMPLING = Sampling(max_tokens=24)
GREEDY = Sampling(max_tokens=24, temperature=0.0, frequency_penalty=0.0)
SYSTEM = Message("system", "you answer in few words, as the examples do")
TEXTS = ["a cat", "an old house at the end of a long street", "x", "rain", "two dogs and a cat", "égg"]


def profile_of(folder, extra=""):
    path = folder.parent / "mine.toml"
    path.write_text(f"[language_model]\nmodel = '{folder}'\n{extra}")
    return load_profile(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_language_model(profile_of(save_tiny_llama(tmp_path_factory.mktemp("lm") / "llama")), "cpu")


def requests(seed=0, texts=TEXTS, shots=1):
    turns = [Message("user", "a dog"), Message("assistant", "it barks")] * shots
    return [
        Request(chat=(SYSTEM, *turns, Message("user", text)), seed=seed + number) for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("sampling", [SAMPLING, GREEDY, replace(SAMPLING, top_p=0.6)], ids=["drawn", "greedy", "top-p"])
def test_an_answer_does_not_depend_on_its_batch_mates(model, sampling):
    together = model.answer(requests(), sampling)
    alone = [model.answer([request], sampling)[0] for request in requests()]
    backwards = model.answer(requests()[::-1], sampling)[::-1]
    small = replace(model, batch_size=2).answer(requests(), sampling)
    assert together == alone == backwards == small
    assert len({answer.text for answer in together}) > 3


def test_the_same_seed_draws_the_same_and_another_seed_something_else(model):
    assert model.answer(requests(), SAMPLING) == model.answer(requests(), SAMPLING)
    assert model.answer(requests(), SAMPLING) != model.answer(requests(seed=100), SAMPLING)


def test_drawing_leaves_torchs_own_generator_alone(model):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    model.answer(requests(), SAMPLING)
    assert torch.equal(torch.rand(3), expected)


def test_a_shared_beginning_changes_no_answer_and_is_computed_once(model):
    computed = model.prefixes.num_computed
    with_cache = model.answer(requests(shots=3), SAMPLING)
    model.answer(requests(seed=50, shots=3), SAMPLING)
    assert model.prefixes.num_computed == computed + 1
    assert replace(model, reuse_prefixes=False).answer(requests(shots=3), SAMPLING) == with_cache


def test_chats_with_different_beginnings_are_answered_in_order(model):
    mixed = [request for pair in zip(requests(shots=1), requests(shots=2), strict=True) for request in pair]
    answers = model.answer(mixed, SAMPLING)
    assert answers[0::2] == model.answer(requests(shots=1), SAMPLING)
    assert answers[1::2] == model.answer(requests(shots=2), SAMPLING)


def test_conversations_that_went_apart_are_answered_in_one_batch(model, monkeypatch):
    chats = [
        Request(chat=(*request.chat, Message("assistant", text), Message("user", "more")), seed=number)
        for number, (request, text) in enumerate(zip(requests(), reversed(TEXTS), strict=True))
    ]
    widths = []
    forward = type(model.model).forward

    def counted(self, input_ids, **inputs):
        widths.append(len(input_ids))
        return forward(self, input_ids, **inputs)

    monkeypatch.setattr(type(model.model), "forward", counted)
    answers = replace(model, prefixes=PrefixCache()).answer(chats, GREEDY)
    # The shared beginning, then all of them.
    assert widths[:2] == [1, len(chats)]
    assert answers == [model.answer([chat], GREEDY)[0] for chat in chats]


def test_the_likeliest_tokens_are_those_of_transformers_own_generate(model):
    request = requests()[1]
    (answer,) = model.answer([request], GREEDY)
    messages = [{"role": m.role, "content": m.content} for m in request.chat]
    inputs = model.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ids = inputs["input_ids"]
    made = model.model.generate(**inputs, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :]
    assert answer.text == model.tokenizer.decode(made, skip_special_tokens=True)
    assert (answer.prompt_tokens, answer.completion_tokens) == (ids.shape[1], len(made))


def test_a_token_loses_the_penalty_for_each_time_that_the_answer_holds_it(model):
    request, penalty = requests()[1], 2.0
    ids = torch.tensor([chat_tokens(model.tokenizer, request.chat)])

    def penalised(told, logits):
        counts = torch.bincount(told[0, ids.shape[1] :], minlength=logits.shape[-1])
        return logits - penalty * counts

    processors = LogitsProcessorList([penalised])
    made = model.model.generate(ids, max_new_tokens=24, do_sample=False, logits_processor=processors)
    (answer,) = model.answer([request], replace(GREEDY, frequency_penalty=penalty))
    assert answer.text == model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    assert answer.text != model.answer([request], GREEDY)[0].text


def test_an_answer_ends_before_the_first_text_that_stops_it(model):
    whole = model.answer(requests(), SAMPLING)
    stop = (whole[0].text[9:12], whole[0].text[5:7])
    stopped = model.answer(requests(), replace(SAMPLING, stop=stop))
    for before, after in zip(whole, stopped, strict=True):
        first = min([before.text.find(end) for end in stop if end in before.text], default=None)
        assert after.text == before.text[:first]
    assert stopped[0].finish_reason == "stop" and stopped[0].completion_tokens < whole[0].completion_tokens


def test_answers_end_at_the_limit_or_at_an_end_token(model):
    answers = model.answer(requests(), Sampling(max_tokens=400, temperature=2.0))
    reasons = {answer.finish_reason for answer in answers}
    assert "stop" in reasons and reasons <= {"stop", "length"}
    assert {a.completion_tokens for a in model.answer(requests(), replace(SAMPLING, max_tokens=3))} <= {1, 2, 3}


def test_every_answer_is_handed_on_once(model):
    seen = {}
    answers = replace(model, batch_size=4).answer(requests(), SAMPLING, lambda i, a: seen.setdefault(i, a))
    assert [seen[i] for i in range(len(answers))] == answers


def test_a_chat_longer_than_the_model_takes_is_refused_and_its_batch_mates_answered(model):
    chats = requests(texts=["a cat", "long " * 200, "x"])
    answers = model.answer(chats, SAMPLING)
    assert [a.finish_reason == "refused" for a in answers] == [False, True, False]
    assert "and the model takes 512" in answers[1].text
    assert [answers[0], answers[2]] == model.answer([chats[0], chats[2]], SAMPLING)


def test_a_tokenizer_without_chat_template_gets_plain_turns(tmp_path):
    folder = save_tiny_llama(tmp_path / "llama", chat_template=None)
    model = load_language_model(profile_of(folder), "cpu")
    # The likeliest words: random weights make all nearly as likely, and drawn ones hang on the machine's last bits.
    answers = model.answer(requests(), GREEDY)
    assert answers == [model.answer([request], GREEDY)[0] for request in requests()]
    plain = "### System\n" + SYSTEM.content + "\n\n### User\na dog\n\n### Assistant\nit barks\n\n"
    asked = model.tokenizer.decode(chat_tokens(model.tokenizer, requests()[0].chat))
    assert asked == plain + "### User\na cat\n\n### Assistant\n"


def test_drawn_tokens_have_the_models_probabilities():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).repeat(20_000, 1)
    draws = torch.rand(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for temperature, top_p, kept in [(1.0, 1.0, 4), (0.7, 1.0, 4), (1.0, 0.8, 2), (1.0, 0.64, 1)]:
        picked = pick_tokens(logits, draws, Sampling(temperature=temperature, top_p=top_p))
        expected = (logits[0] / temperature).softmax(-1)
        expected[kept:] = 0
        torch.testing.assert_close(picked.bincount(minlength=4) / 20_000, expected / expected.sum(), atol=0.01, rtol=0)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(MissingModelError, match="role 'language_model': .* is not on this machine"):
        load_language_model(profile_of(tmp_path / "gone"), "cpu")
    (tmp_path / "mine.toml").write_text("[language_model]\nmodel = 'package:language_model_that_is_gone'")
    with pytest.raises(MissingModelError, match="editfoundry tinyworld pretrain language_model$"):
        load_language_model(load_profile(tmp_path / "mine.toml"), "cpu")


@pytest.mark.parametrize(
    ("option", "message"), [("batch_size = 0", "batch_size is 0"), ("seed = 1", "no option 'seed'")]
)
def test_a_wrong_option_is_bad_input(tmp_path, option, message):
    profile = profile_of(tmp_path / "gone", f"[language_model.options]\n{option}")
    with pytest.raises(BadInputError, match=message):
        load_language_model(profile, "cpu")


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", -1), ("top_p", 0), ("max_tokens", 0), ("frequency_penalty", 3)]
)
def test_a_sampling_outside_its_range_is_bad_input(field, value):
    with pytest.raises(BadInputError, match=field):
        Sampling(**{field: value})
