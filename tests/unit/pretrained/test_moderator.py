"""The role moderator: a classifier on this machine; its endpoint is tested with the stage that asks it."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.moderator import load_moderator
from editfoundry.profiles import load_profile

WORDS = ["[PAD]", "[UNK]", "cat", "blood", "kiss"]


def save_classifier(folder, labels, problem_type="single_label_classification"):
    """Save a classifier whose labels after the first are for "blood" and for "kiss"."""
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
        problem_type=problem_type,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForSequenceClassification(config)
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    for name in state:
        if name.endswith("LayerNorm.weight"):
            state[name] = torch.ones_like(state[name])
    embeddings = state["bert.embeddings.word_embeddings.weight"]
    for number in (2, 3, 4):
        embeddings[number, number] = 4.0
    state["bert.pooler.dense.weight"] = torch.eye(8)
    for label, word in enumerate((2, 3, 4)[: len(labels)]):
        state["classifier.weight"][label, word] = 8.0
    if problem_type != "single_label_classification":
        state["classifier.bias"] -= 4.0
    model.load_state_dict(state)
    model.save_pretrained(folder)
    return folder


def moderator_of(folder, extra=""):
    path = folder.parent / "mine.toml"
    path.write_text(f"[moderator]\nmodel = '{folder}'\n{extra}")
    return load_moderator(load_profile(path), "cpu")


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
def test_a_text_is_flagged_with_its_likeliest_unsafe_label(tmp_path, problem_type):
    model = moderator_of(save_classifier(tmp_path / "model", ["OK", "violence", "sexual"], problem_type))
    assert model.flags(["cat", "blood", "kiss", "cat"]) == ["", "violence", "sexual", ""]
    assert model.name.endswith("model@main") and model.flags([]) == []


def test_labels_and_threshold_are_the_profiles(tmp_path):
    folder = save_classifier(tmp_path / "model", ["a", "b", "c"])
    options = "options = { safe_labels = ['A', 'c'], threshold = 0.9 }"
    assert moderator_of(folder, options).flags(["cat", "blood", "kiss"]) == ["", "b", ""]
    assert moderator_of(folder, options.replace("0.9", "1.0")).flags(["blood"]) == [""]


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("", "tell which of its labels .a, b, c. are for texts without fault"),
        ("options = { safe_labels = ['a', 'b', 'c'] }", "tell which of its labels"),
        ("options = { safe_labels = 'a' }", "safe_labels is 'a'"),
        ("options = { threshold = 2 }", "threshold is 2"),
        ("options = { other = 2 }", "unknown option 'other'"),
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path, extra, told):
    folder = save_classifier(tmp_path / "model", ["a", "b", "c"])
    with pytest.raises(BadInputError, match=told):
        moderator_of(folder, extra)


def test_a_profile_without_moderator_has_none_and_a_missing_one_is_told(tmp_path):
    assert load_moderator(load_profile("embedded")) is None
    with pytest.raises(MissingModelError, match="role 'moderator'"):
        moderator_of(tmp_path / "nothing")


def test_a_classifier_without_its_head_is_refused_and_given_no_random_one(tmp_path):
    folder = save_classifier(tmp_path / "model", ["OK", "violence"])
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInputError, match=r"lacks 1 of the weights .*classifier\.weight"):
        moderator_of(folder)
