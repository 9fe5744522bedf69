"""The text stage, end to end against a real HTTP server."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import killed_runs
import pytest
from chat_server import Reply, chat_server

from editfoundry.data.record import Caption
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.profiles import EMBEDDED_FOLDER, load_profile
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.synthesis.instructions.instruction_rows import InstructionRow, read_instruction_rows
from editfoundry.synthesis.instructions.stage import with_instruction_model, write_instructions
from editfoundry.synthesis.quadruples.config import QuadrupleConfig

CONFIG = InstructionConfig(requests_per_batch=3)
SRC = Path(__file__).parents[4] / "src"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def write_captions(folder, *shards):
    for number, texts in enumerate(shards):
        rows = [Caption(caption=text, url=f"https://a.invalid/{number}/{place}") for place, text in enumerate(texts)]
        write_rows(folder / f"{number:05d}.parquet", rows, Caption)
    return folder


@pytest.fixture
def captions(tmp_path):
    first = [f"a {colour} apple on a table" for colour in ("red", "green", "yellow", "brown", "white")]
    return write_captions(tmp_path / "captions", first, ["a cat", "a dog", "a cow"])


def write_profile(tmp_path, url, moderator=False, **options):
    options = {"base_url": url, "max_wait_seconds": 0.05, "num_attempts": 2, **options}
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    text = f'[language_model]\nmodel = "endpoint:tiny"\n[language_model.options]\n{lines}\n'
    text += '[clip]\nmodel = "package:clip"\n'
    if moderator:
        text += f'[moderator]\nmodel = "endpoint:watch"\n[moderator.options]\n{lines}\n'
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def asked_caption(body):
    content = body["messages"][-1]["content"]
    assert content.endswith("\n##\n")
    return content.removesuffix("\n##\n")


def at_night(body, before):
    caption = asked_caption(body)
    return Reply(f"Make it night.\n%%\n{caption} at night")


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def reasons(folder):
    return {row.row["caption"]: row.reason for row in read_rejections(folder)}


@pytest.mark.parametrize("config", [InstructionConfig, QuadrupleConfig, VideoBranchConfig])
@pytest.mark.parametrize("wrong", [{"temperature": 9}, {"max_tokens": 0}, {"max_attempts": 0}])
def test_what_no_model_would_take_is_refused_before_one_is_loaded(config, wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(BadInputError, match=f"^{name} is {value}; it must be"):
        config(**wrong)


def test_captions_become_rows_with_the_papers_settings(tmp_path, captions):
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert (result.num_in, result.num_out) == (8, 8)
    body = server.bodies[0]
    assert [body[name] for name in ("temperature", "frequency_penalty", "max_tokens")] == [0.7, 0.1, 256]
    assert body["stop"] == ["\nEND"] and len(server.bodies) == 8
    rows = list(read_instruction_rows(tmp_path / "out"))
    assert rows == list(read_rows(tmp_path / "out", InstructionRow))
    given = list(read_rows(captions, Caption))
    assert [row.input for row in rows] == [caption.caption for caption in given]
    assert [row.id for row in rows] == [caption.id for caption in given]
    assert rows[0].output == "a red apple on a table at night" and rows[0].url == "https://a.invalid/0/0"
    told = json.loads(rows[0].provenance)
    assert told["language_model"] == "endpoint:tiny@main" and told["moderator"] == "off"
    assert (told["temperature"], told["seed"], told["attempt"]) == (0.7, 0, 0)
    assert sorted(path.name for path in (tmp_path / "out").glob("0*")) == [
        "00000.jsonl", "00000.parquet", "00001.jsonl", "00001.parquet",
    ]  # fmt: skip


def test_what_is_dropped_as_a_copy_keeps_nothing_out_of_a_later_shard_however_the_run_goes(tmp_path):
    first = [Caption(caption="a red apple", url="u1"), Caption(caption="A red apple", url="u2")]
    second = [Caption(caption="a green tree", url="u2"), Caption(caption="a blue cup", url="u3")]
    for number, rows in enumerate((first, second)):
        write_rows(tmp_path / "captions" / f"{number:05d}.parquet", rows, Caption)
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        assert write_instructions(tmp_path / "captions", tmp_path / "out", CONFIG, profile).num_out == 3
        for only in ("00000", None):
            write_instructions(tmp_path / "captions", tmp_path / "parts", CONFIG, profile, only=only)
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "out")


@pytest.mark.parametrize("stream", [True, False])
def test_half_a_character_is_a_rejection_and_the_halves_of_one_are_joined(tmp_path, stream):
    captions = write_captions(tmp_path / "captions", ["a cat", "a dog"])
    # The server cuts a streamed answer every seven characters, here within the character.
    texts = {"a cat": "Make i\ud83d\ude00.\n%%\na cat at night", "a dog": "Make \ud83d it.\n%%\na dog at night"}
    with chat_server(lambda body, before: Reply(texts[asked_caption(body)])) as server:
        profile = load_profile(write_profile(tmp_path, server.url, stream=stream))
        write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert [row.edit for row in read_instruction_rows(tmp_path / "out")] == ["Make i\N{GRINNING FACE}."]
    assert reasons(tmp_path / "out") == {"a dog": "control characters in instruction"}


def test_a_caption_that_cannot_be_used_is_not_asked_about(tmp_path):
    long = "an apple " * 30
    shards = (["a cat", "A  cat", "a cat\nEND", "one\n##\ntwo", long, " "], ["a CAT", "a dog"])
    captions = write_captions(tmp_path / "captions", *shards)
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert result.num_out == 2 and sorted(map(asked_caption, server.bodies)) == ["a cat", "a dog"]
    assert reasons(tmp_path / "out") == {
        "A  cat": "duplicate caption",
        "a cat\nEND": "delimiter inside",
        "one\n##\ntwo": "delimiter inside",
        long: "caption too long",
        " ": "empty caption",
        "a CAT": "duplicate caption",
    }


def test_of_captions_with_one_url_the_first_is_written_for(tmp_path):
    rows = [Caption(caption="a cat", url="https://a.invalid/1"), Caption(caption="a dog", url="https://a.invalid/1")]
    write_rows(tmp_path / "captions" / "0.parquet", rows, Caption)
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_instructions(tmp_path / "captions", tmp_path / "out", CONFIG, profile)
    assert result.rejected == {"duplicate url": 1} and result.num_out == 1


ANSWERS = {
    "no delimiter": "Make it night. an apple at night",
    "equal captions": "Make it night.\n%%\nA CAT!",
    "edited caption too long": "Make it night.\n%%\n" + "a cat " * 40,
    "instruction too long": "night " * 60 + "\n%%\na cat at night",
    "empty edited caption": "Make it night.\n%%\n",
    "delimiter inside": "Make it night.\n%%\na cat\n##\nat night",
}


@pytest.mark.parametrize("reason", ANSWERS)
def test_an_answer_that_cannot_be_used_is_asked_for_anew_with_another_seed_and_at_last_recorded(tmp_path, reason):
    captions = write_captions(tmp_path / "captions", ["a cat", "a dog"])

    def respond(body, before):
        return Reply(ANSWERS[reason]) if asked_caption(body) == "a cat" else at_night(body, before)

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert result.rejected == {reason: 1} and result.num_out == 1
    (row,) = read_rejections(tmp_path / "out")
    assert row.row["answer"] == ANSWERS[reason]
    seeds = {body["seed"] for body in server.bodies if asked_caption(body) == "a cat"}
    assert len(seeds) == CONFIG.max_attempts and len(server.bodies) == CONFIG.max_attempts + 1


def test_an_answer_is_believed_at_the_second_attempt(tmp_path, captions):
    asked = set()

    def respond(body, before):
        is_first = asked_caption(body) not in asked
        asked.add(asked_caption(body))
        return Reply("I will.") if is_first else at_night(body, before)

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert result.num_out == 8 and result.totals["num_requests"] == 16
    assert {json.loads(row.provenance)["attempt"] for row in read_instruction_rows(tmp_path / "out")} == {1}


def test_what_the_moderator_flags_is_not_kept_and_a_flagged_caption_not_asked_about(tmp_path):
    captions = write_captions(tmp_path / "captions", ["a cat", "a bloody cow", "a dog"])

    def respond(body, before):
        return Reply("Hurt it.\n%%\na bloody dog") if asked_caption(body) == "a dog" else at_night(body, before)

    with chat_server(respond) as server:
        server.moderate = lambda text: "violence" if "bloody" in text else ""
        profile = load_profile(write_profile(tmp_path, server.url, moderator=True))
        result = write_instructions(captions, tmp_path / "out", CONFIG, profile)
    assert result.rejected == {"flagged": 2} and "a bloody cow" not in map(asked_caption, server.bodies)
    assert len(server.moderated) == len(set(server.moderated)) == 7
    (row,) = read_instruction_rows(tmp_path / "out")
    assert row.input == "a cat" and json.loads(row.provenance)["moderator"] == "endpoint:watch@main"
    assert all("violence" in row.detail for row in read_rejections(tmp_path / "out"))


def test_an_endpoint_without_a_route_for_moderation_is_told(tmp_path, captions):
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url, moderator=True))
        with pytest.raises(BadInputError, match="status 404 .* take .moderator. out of the profile"):
            write_instructions(captions, tmp_path / "out", CONFIG, profile)


def test_a_moderator_that_is_down_stops_the_run_which_then_goes_on_and_moderates_nothing_twice(tmp_path, captions):
    down = threading.Event()

    def moderate(text):
        if down.is_set():
            raise ConnectionResetError
        return ""

    def respond(body, before):
        down.set()
        return at_night(body, before)

    with chat_server(respond) as server:
        server.moderate = moderate
        profile = load_profile(write_profile(tmp_path, server.url, moderator=True))
        with pytest.raises(UnavailableError, match="moderation of .*run the same command again"):
            write_instructions(captions, tmp_path / "out", CONFIG, profile)
        assert (tmp_path / "out" / "00000.moderation.journal.jsonl").is_file()
        server.moderated.clear()
        server.moderate, server.respond = lambda text: "", at_night
        write_instructions(captions, tmp_path / "out", CONFIG, profile)
        assert "a red apple on a table" not in server.moderated
        write_instructions(captions, tmp_path / "undisturbed", CONFIG, profile)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "undisturbed")


def test_a_run_killed_in_a_shard_goes_on_there_asks_nothing_twice_and_gives_the_same_bytes(tmp_path, captions):
    killed_at = 6  # In the second shard.
    hanging, release = threading.Event(), threading.Event()

    def respond(body, before):
        if len(server.answered) == killed_at and not release.is_set():
            hanging.set()
            release.wait(300)
        return at_night(body, before)

    with chat_server(respond) as server:
        profile = write_profile(tmp_path, server.url, num_concurrent=1)
        command = [sys.executable, "-m", "editfoundry", "instructions", "write", str(captions), str(tmp_path / "out")]
        command += ["--profile", str(profile)]
        env = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
        first = subprocess.Popen(command, cwd=tmp_path, env=env)
        assert hanging.wait(300)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert len(list((tmp_path / "out").glob("*.journal.jsonl"))) == 1
        num_answered = len(server.answered)
        release.set()
        done = subprocess.run([*command, "--json"], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answered = server.answered[:num_answered] + server.answered[num_answered + 1 :]
        assert len(answered) == len(set(answered))
        write_instructions(captions, tmp_path / "undisturbed", InstructionConfig(), load_profile(profile))
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "undisturbed")
    assert json.loads(done.stdout)["num_out"] == 8


def write_rows_of(output, captions, profile):
    """What `killed_runs` does; a moment is an operation on a file, the journal's among them."""
    write_instructions(Path(captions), output, CONFIG, load_profile(Path(profile)))


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_gives_the_same_bytes_and_asks_only_what_was_in_flight_again(
    tmp_path, captions
):
    with chat_server(at_night) as server:
        profile = write_profile(tmp_path, server.url, num_concurrent=1)
        arguments = (__file__, "write_rows_of", tmp_path / "runs", 20, str(captions), str(profile))
        told = killed_runs.killed_runs(*arguments)
    assert len(told) == 20 and all(run["is_killed"] for run in told)
    whole = killed_runs.bytes_of(tmp_path / "runs" / "whole")
    assert len(list(read_instruction_rows(tmp_path / "runs" / "whole"))) == 8
    for number in range(20):
        assert killed_runs.bytes_of(tmp_path / "runs" / f"{number:02}") == whole, told[number]
    # A batch of requests is answered before it is written down: at most one such is asked again after each death.
    assert 21 * 8 <= len(server.answered) <= 21 * 8 + 20 * CONFIG.requests_per_batch


def test_rows_that_are_there_are_kept_until_something_that_shapes_them_changes(tmp_path, captions):
    def reused(config=CONFIG):
        profile = load_profile(tmp_path / "mine.toml")
        return write_instructions(captions, tmp_path / "out", config, profile).num_shards_reused

    with chat_server(at_night) as server:
        server.moderate = lambda text: ""
        write_profile(tmp_path, server.url)
        assert reused() == 0
        assert reused(replace(CONFIG, requests_per_batch=9)) == 2
        (tmp_path / "out" / "00001.jsonl").unlink()
        assert reused() == 1
        assert reused(replace(CONFIG, temperature=0.1)) == 0
        write_profile(tmp_path, server.url, moderator=True)
        assert reused(replace(CONFIG, temperature=0.1)) == 0
        # The first shard's captions are those that the second must not repeat.
        write_captions(captions, ["a cat"])
        assert reused(replace(CONFIG, temperature=0.1)) == 0
    assert "a cat" in reasons(tmp_path / "out")


def test_one_shard_alone_gets_the_same_bytes(tmp_path, captions):
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_instructions(captions, tmp_path / "all", CONFIG, profile)
        write_instructions(captions, tmp_path / "out", CONFIG, profile, only="00001")
    assert set(bytes_of(tmp_path / "out").items()) <= set(bytes_of(tmp_path / "all").items())
    assert not (tmp_path / "out" / "00000.parquet").exists()


def test_the_writer_is_the_model_that_is_named_or_the_profiles_own_for_instructions(tmp_path, captions):
    with chat_server(at_night) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        chosen = with_instruction_model(profile, "endpoint:fine-tuned")
        write_instructions(captions, tmp_path / "out", CONFIG, chosen)
    assert {body["model"] for body in server.bodies} == {"fine-tuned"}
    (row, *_) = read_instruction_rows(tmp_path / "out")
    told = json.loads(row.provenance)
    assert told["instruction_model"] == "endpoint:fine-tuned@main" and "language_model" not in told
    local = with_instruction_model(profile, str(EMBEDDED_FOLDER / "language_model"))
    assert not local.model("instruction_model").is_endpoint
