"""The stage ``express``: whose words, how short, what is left out, and that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from chat_server import KEY, ChatServer, Reply, chat_server
from narrow_models import byte_tokenizer
from tiny_llava import saved_profile, tiny_llava
from tiny_models import tiny_triplets
from transformers import T5Config, T5ForConditionalGeneration

from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.errors import BadInputError, MissingModelError, UnavailableError
from editfoundry.pretrained.summarizer import Summarizer
from editfoundry.pretrained.vision_language_model import VisionLanguageModel
from editfoundry.profiles import Profile, load_profile
from editfoundry.synthesis.expressive.config import ExpressiveConfig
from editfoundry.synthesis.expressive.stage import BROKEN_ANSWER, NO_ANSWER, NO_CAPTION, NO_SUMMARY, express

CONFIG = ExpressiveConfig(max_new_tokens=6, records_per_batch=2)
TRUE = replace(CONFIG, source="truth")
LONG = replace(CONFIG, summarizes=False)
BUSY = Reply(status=503, error={"message": "busy"})


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    folder = tmp_path_factory.mktemp("models")
    path = saved_profile(folder, tiny_llava())
    tokenizer = byte_tokenizer({"<pad>": 300}, start=None)
    tokenizer.pad_token = "<pad>"
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    special = {"pad_token_id": 300, "eos_token_id": 0, "decoder_start_token_id": 300}
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **sizes, **special)).save_pretrained(folder / "t5")
    tokenizer.save_pretrained(folder / "t5")
    path.write_text(path.read_text() + f'[summarizer]\nmodel = "{folder / "t5"}"\n')
    return load_profile(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    captioned = [replace(t, output_caption="" if n == 2 else f"a thing {n}.") for n, t in enumerate(tiny_triplets(5))]
    write_triplets(tmp_path / "in" / "00000.tar", captioned)
    return tmp_path / "in"


def says(monkeypatch: pytest.MonkeyPatch, *, long: str = "It melts. It is wet. {0}", short: str | None = None) -> list:
    """Let the models say these; return the questions and texts that they are asked about."""
    asked: list[str] = []

    def generate(self: object, images: list, prompts: list[str], max_new_tokens: int) -> list[str]:
        assert max_new_tokens == CONFIG.max_new_tokens and all(len(row) == 1 for row in images)
        asked.extend(prompts)
        return [long.format(prompt) for prompt in prompts]

    def summarize(self: object, texts: list[str]) -> list[str]:
        asked.extend(texts)
        return [text[:8] if short is None else short for text in texts]

    monkeypatch.setattr(VisionLanguageModel, "generate", generate)
    monkeypatch.setattr(Summarizer, "summarize", summarize)
    return asked


def test_real_models_write_for_every_triplet_and_the_rest_of_it_stays(
    source: Path, profile: Profile, tmp_path: Path
) -> None:
    result = express(source, tmp_path / "out", CONFIG, profile, "cpu")
    before, after = list(read_triplets(source)), list(read_triplets(tmp_path / "out"))
    rejected = list(read_rejections(tmp_path / "out" / "00000.tar"))
    assert result.num_in == 5 == len(after) + len(rejected)
    for triplet in after:
        assert triplet.expressive_instruction
        [first] = [one for one in before if one.id == triplet.id]
        unchanged = replace(triplet, expressive_instruction="", provenance={})
        assert replace(unchanged, input_image=first.input_image, output_image=first.output_image) == first
    assert {row.reason for row in rejected} <= {NO_ANSWER, NO_SUMMARY}


def test_the_question_is_the_papers_and_the_short_words_are_kept_with_the_long_ones(
    source: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = says(monkeypatch)
    express(source, tmp_path / "out", CONFIG, profile, "cpu")
    instruction = next(read_triplets(source)).instruction
    question = f'what will this image be like if "{instruction}" (in a short paragraph)'
    assert asked[0] == question
    first = next(read_triplets(tmp_path / "out"))
    assert first.expressive_instruction == "It melts"
    assert first.provenance["expressive"]["said"] == f"It melts. It is wet. {question}"
    assert set(first.provenance["expressive"]) == {"vision_language_model", "summarizer", "said"}
    express(source, tmp_path / "long", replace(CONFIG, summarizes=False), profile, "cpu")
    assert next(read_triplets(tmp_path / "long")).expressive_instruction == f"It melts. It is wet. {question}"


def test_what_was_written_before_a_kill_is_not_asked_for_again(
    source: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, whole = says(monkeypatch), tmp_path / "whole"
    express(source, whole, CONFIG, profile, "cpu")
    all_asked = list(asked)
    asked.clear()
    told = VisionLanguageModel.generate

    def dies(self: VisionLanguageModel, images: list, prompts: list[str], most: int) -> list[str]:
        if len(asked) >= 4:
            raise KeyboardInterrupt
        return told(self, images, prompts, most)

    monkeypatch.setattr(VisionLanguageModel, "generate", dies)
    with pytest.raises(KeyboardInterrupt):
        express(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert (tmp_path / "out" / "00000.journal.jsonl").is_file()
    monkeypatch.setattr(VisionLanguageModel, "generate", told)
    express(source, tmp_path / "out", CONFIG, profile, "cpu")
    assert sorted(asked) == sorted(all_asked)
    assert (tmp_path / "out" / "00000.tar").read_bytes() == (whole / "00000.tar").read_bytes()
    assert not (tmp_path / "out" / "00000.journal.jsonl").exists()


@pytest.fixture
def endpoint_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ChatServer], Profile]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def write(server: ChatServer) -> Profile:
        options = f'{{ base_url = "{server.url}", max_wait_seconds = 0.1, num_attempts = 1, num_concurrent = 1 }}'
        path = tmp_path / "endpoint.toml"
        path.write_text(f'[vision_language_model]\nmodel = "endpoint:seer"\noptions = {options}\n')
        return load_profile(path)

    return write


def test_an_endpoint_that_leaves_a_question_open_is_asked_for_that_alone(
    source: Path, tmp_path: Path, endpoint_profile: Callable[[ChatServer], Profile]
) -> None:
    with chat_server(lambda *_: Reply("It melts.") if server.healed or len(server.bodies) != 4 else BUSY) as server:
        server.healed = False  # type: ignore[attr-defined]
        with pytest.raises(UnavailableError, match="1 of 2 questions about pictures stayed unanswered"):
            express(source, tmp_path / "out", LONG, endpoint_profile(server), "cpu")
        server.healed = True  # type: ignore[attr-defined]
        result = express(source, tmp_path / "out", LONG, endpoint_profile(server), "cpu")
    assert result.num_out == 5 == len(server.answered) == len(set(server.answered))
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_an_endpoint_that_fails_at_every_picture_finishes_no_shard(
    source: Path, tmp_path: Path, endpoint_profile: Callable[[ChatServer], Profile]
) -> None:
    def blind(body: dict[str, Any], before: int) -> Reply:
        is_answered = server.healed or "image_url" not in str(body)  # type: ignore[attr-defined]
        return Reply("It melts.") if is_answered else Reply(status=500, error={"message": "no eyes"})

    with chat_server(blind) as server:
        server.healed = False  # type: ignore[attr-defined]
        with pytest.raises(UnavailableError, match="4 of 4 questions about pictures failed: status 500 no eyes"):
            express(source, tmp_path / "out", LONG, endpoint_profile(server), "cpu")
        assert not list((tmp_path / "out").glob("*.tar"))
        server.healed = True  # type: ignore[attr-defined]
        assert express(source, tmp_path / "out", LONG, endpoint_profile(server), "cpu").num_out == 5


def test_nothing_said_is_rejected_with_a_reason(
    source: Path, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, long=" ")
    express(source, tmp_path / "silent", CONFIG, profile, "cpu")
    assert {row.reason for row in read_rejections(tmp_path / "silent" / "00000.tar")} == {NO_ANSWER}
    says(monkeypatch, long="It melts \x1a.")
    express(source, tmp_path / "broken", CONFIG, profile, "cpu")
    assert {row.reason for row in read_rejections(tmp_path / "broken" / "00000.tar")} == {BROKEN_ANSWER}
    says(monkeypatch, short="")
    express(source, tmp_path / "empty", CONFIG, profile, "cpu")
    assert {row.reason for row in read_rejections(tmp_path / "empty" / "00000.tar")} == {NO_SUMMARY}


def test_the_truth_needs_no_model_and_leaves_out_what_has_no_caption(source: Path, tmp_path: Path) -> None:
    result = express(source, tmp_path / "out", TRUE, Profile(name="none", models={}), "cpu")
    assert (result.num_out, result.rejected) == (4, {NO_CAPTION: 1})
    told = [triplet.expressive_instruction for triplet in read_triplets(tmp_path / "out")]
    assert told == [f"a thing {n}." for n in (0, 1, 3, 4)]
    assert next(read_triplets(tmp_path / "out")).provenance["expressive"] == {"source": "truth"}


def test_missing_models_and_unknown_sources_are_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises((BadInputError, MissingModelError), match="vision_language_model"):
        express(source, tmp_path / "out", CONFIG, Profile(name="none", models={}), "cpu")
    with pytest.raises(BadInputError, match="source is 'guess', but must be one of model, truth"):
        ExpressiveConfig(source="guess")
