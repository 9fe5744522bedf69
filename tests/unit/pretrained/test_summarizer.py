"""The role ``summarizer``: what it is asked, how it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from narrow_models import byte_tokenizer
from transformers import T5Config, T5ForConditionalGeneration

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.summarizer import Summarizer, first_sentences, load_summarizer
from editfoundry.profiles import ModelReference, Profile

SIZES: dict[str, Any] = {
    "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "pad_token_id": 300, "eos_token_id": 0,
    "decoder_start_token_id": 300,
}  # fmt: skip


def profile_of(folder: Path) -> Profile:
    return Profile(name="tiny", models={"summarizer": ModelReference(role="summarizer", source=str(folder))})


@pytest.fixture(scope="module")
def summarizer(tmp_path_factory: pytest.TempPathFactory) -> Summarizer:
    folder = tmp_path_factory.mktemp("t5")
    tokenizer = byte_tokenizer({"<pad>": 300}, start=None)
    tokenizer.pad_token = "<pad>"
    torch.manual_seed(0)
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **SIZES)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_summarizer(profile_of(folder), choose_runtime("cpu"))


def test_two_sentences_are_summarised_and_no_more() -> None:
    text = "The egg is fried.  It lies\non a plate! A cat, e.g. a big one, comes. Alternatively, it stays whole."
    assert first_sentences(text) == "The egg is fried. It lies on a plate!"
    assert first_sentences("no end") == "no end" and first_sentences(" ") == ""


def test_a_batch_is_summarised_as_transformers_does_one_by_one(summarizer: Summarizer) -> None:
    texts = ["The egg is fried. It is hot. It is old.", "A cat.", "The egg is fried. It is hot. Something else."]
    found, alone = summarizer.summarize(texts), []
    for said in ("The egg is fried. It is hot.", "A cat.", "The egg is fried. It is hot."):
        asked = summarizer.tokenizer(
            f"summarize the following paragraph in 32 words:\n\n{said}", return_tensors="pt"
        ).input_ids
        written = summarizer.model.generate(
            asked, num_beams=5, min_new_tokens=5, max_new_tokens=64, no_repeat_ngram_size=3, do_sample=False
        )
        assert 5 < written.shape[1] <= 65
        alone.append(summarizer.tokenizer.decode(written[0], skip_special_tokens=True).strip())
    assert found == alone and found[0] == found[2]


def test_equal_descriptions_are_summarised_once_and_empty_ones_not_at_all(
    summarizer: Summarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def written(self: Summarizer, texts: list[str]) -> list[str]:
        asked.extend(texts)
        return [text.upper() for text in texts]

    monkeypatch.setattr(Summarizer, "_written", written)
    assert summarizer.summarize(["a. b. c.", "", "a. b. d."]) == ["A. B.", "", "A. B."]
    assert asked == ["a. b."]
    assert summarizer.summarize(["", " "]) == ["", ""]


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="summarizer"):
        load_summarizer(profile_of(tmp_path / "none"), choose_runtime("cpu"))
