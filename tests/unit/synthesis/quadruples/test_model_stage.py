"""The language model's writer, end to end against a real HTTP server."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tinyworld_answers
from chat_server import Reply, chat_server

from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import read_rejections
from editfoundry.data.tables import read_rows, write_rows
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.pretrained.journal import journal_path
from editfoundry.profiles import load_profile
from editfoundry.synthesis.quadruples.config import TEXT_CATEGORIES, QuadrupleConfig
from editfoundry.synthesis.quadruples.model_stage import write_free_quadruples, write_model_quadruples
from editfoundry.tinyworld.captions import laion_rows
from editfoundry.tinyworld.quadruple_truth import is_true

CONFIG = QuadrupleConfig(writer="language_model", requests_per_batch=4)
SRC = Path(__file__).parents[4] / "src"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def captions(tmp_path):
    texts = list(dict.fromkeys(str(row["TEXT"]) for row in laion_rows(14, seed=2)))
    rows = [Caption(caption=text, url=f"https://a.invalid/{number}") for number, text in enumerate(texts)]
    write_rows(tmp_path / "captions" / "00000.parquet", rows[:8], Caption)
    write_rows(tmp_path / "captions" / "00001.parquet", rows[8:], Caption)
    return tmp_path / "captions"


def write_profile(tmp_path, url, **options):
    options = {"base_url": url, "max_wait_seconds": 0.05, "num_attempts": 2, **options}
    lines = "\n".join(f"{name} = {value!r}" for name, value in options.items())
    path = tmp_path / "mine.toml"
    path.write_text(f'[language_model]\nmodel = "endpoint:tiny"\n[language_model.options]\n{lines}\n')
    return path


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def quadruples_of(folder):
    """Of the quadruples alone: totals and reasons differ with the number of questions."""
    return [list(read_rows(path, Quadruple)) for path in sorted(folder.glob("0????.parquet"))]


def test_captions_become_true_quadruples_of_the_five_categories(tmp_path, captions):
    output = tmp_path / "out"
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url, price_per_million_prompt_tokens=1e6))
        result = write_model_quadruples(captions, output, CONFIG, profile)
    written, given = list(read_rows(output, Quadruple)), list(read_rows(captions, Caption))
    assert result.num_in == len(given) and result.num_out == len(written) > 5
    assert all(is_true(quadruple) for quadruple in written)
    assert {q.category for q in written} <= set(TEXT_CATEGORIES)
    assert [q.input_caption for q in written] == [
        c.caption for c in given if c.caption in {q.input_caption for q in written}
    ]
    assert written[0].source.split()[1].startswith("https://a.invalid/")
    assert result.totals["num_requests"] == len(server.bodies)
    tokens = sum(len(body["messages"]) for body in server.bodies)
    assert result.totals["prompt_tokens"] == result.totals["cost"] == tokens
    assert not list(output.glob("*.journal.jsonl"))
    with chat_server(tinyworld_answers.answer) as other:
        profile = load_profile(write_profile(tmp_path, other.url))
        again = write_model_quadruples(captions, output, CONFIG, profile)
    assert other.bodies == [] and again.num_shards_reused == 2
    assert again.totals["prompt_tokens"] == tokens and "cost" not in again.totals


def test_exemplars_are_shown_in_a_seeded_choice_and_the_model_may_refuse(tmp_path, captions):
    with chat_server(lambda body, before: Reply("null")) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
        bodies, server.bodies = server.bodies, []
        write_model_quadruples(captions, tmp_path / "again", CONFIG, profile)
        same, server.bodies = server.bodies, []
        other_seed = dataclasses.replace(CONFIG, seed=1, max_categories=2)
        fewer = write_model_quadruples(captions, tmp_path / "other", other_seed, profile)
    as_json = [sorted(json.dumps(body, sort_keys=True) for body in asked) for asked in (bodies, same, server.bodies)]
    assert as_json[0] == as_json[1] and not set(as_json[0]) & set(as_json[2])
    assert result.rejected == fewer.rejected == {"no category applies": result.num_in}
    assert len(bodies) == 5 * result.num_in and len(server.bodies) == 2 * result.num_in
    # System, five exemplars, one caption that is refused, and the question.
    assert {len(body["messages"]) for body in bodies} == {1 + 2 * 6 + 1}


def test_unusable_answers_are_asked_for_anew_and_at_last_recorded_with_their_text(tmp_path, captions):
    def respond(body, before):
        return Reply("I would rather not say.")

    config = QuadrupleConfig(writer="language_model", categories=("Long-Term",), max_attempts=3, verify=False)
    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_model_quadruples(captions, tmp_path / "out", config, profile)
    assert result.rejected == {"unparsable answer": result.num_in}
    assert len({body["seed"] for body in server.bodies}) == len(server.bodies) == 3 * result.num_in
    assert {row.row["answer"] for row in read_rejections(tmp_path / "out")} == {"I would rather not say."}


def test_an_answer_is_believed_at_the_second_attempt(tmp_path, captions):
    first: set[str] = set()

    def respond(body, before):
        question = body["messages"][0]["content"] + body["messages"][-1]["content"]
        if question in first or "Caption" not in question:
            return tinyworld_answers.answer(body, before)
        first.add(question)
        return Reply('```json\n{"instruction": "Drop it.", "output_caption": "pieces", "keywords": ["zebra"]}\n```')

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
    assert result.num_out > 5


def test_the_category_must_be_confirmed_unless_that_is_switched_off(tmp_path, captions):
    def respond(body, before):
        if "Before: " in body["messages"][-1]["content"]:
            return Reply("Implicit-Logic")
        return tinyworld_answers.answer(body, before)

    config = dataclasses.replace(CONFIG, categories=tuple(c for c in TEXT_CATEGORIES if c != "Implicit-Logic"))
    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        checked = write_model_quadruples(captions, tmp_path / "checked", config, profile)
        unchecked = write_model_quadruples(
            captions, tmp_path / "unchecked", dataclasses.replace(config, verify=False), profile
        )
    assert checked.num_out == 0 and checked.rejected["category not confirmed"] == unchecked.num_out > 5


OFF_SCHEMA = {
    "several": (Reply("Exaggeration or Story-Type and Long-Term"), "not verified: no single category named"),
    "empty": (Reply(""), "not verified: empty answer"),
    "turned down": (Reply(status=400, error={"code": "content_filter"}), "not verified: prompt refused"),
}


@pytest.mark.parametrize("kind", OFF_SCHEMA)
def test_a_category_that_cannot_be_read_is_asked_for_anew_and_at_last_its_own_reason(tmp_path, captions, kind):
    unreadable, reason = OFF_SCHEMA[kind]

    def unreadable_at_first(body, before):
        is_first = "Before: " in body["messages"][-1]["content"] and body["temperature"] == 0
        return unreadable if is_first else tinyworld_answers.answer(body, before)

    def never_readable(body, before):
        return unreadable if "Before: " in body["messages"][-1]["content"] else tinyworld_answers.answer(body, before)

    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        known = write_model_quadruples(captions, tmp_path / "known", CONFIG, profile)
    with chat_server(unreadable_at_first) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        again = write_model_quadruples(captions, tmp_path / "again", CONFIG, profile)
    assert quadruples_of(tmp_path / "again") == quadruples_of(tmp_path / "known") and again.num_out == known.num_out
    with chat_server(never_readable) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        never = write_model_quadruples(captions, tmp_path / "never", CONFIG, profile)
    assert never.num_out == 0 and never.rejected[reason] >= known.num_out
    assert "category not confirmed" not in never.rejected


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_caption_that_the_endpoint_never_takes_is_a_rejection_that_names_it_and_the_rest_goes_on(
    tmp_path, captions, status
):
    bad = next(read_rows(captions, Caption))

    def respond(body, before):
        if any(bad.caption in message["content"] for message in body["messages"] if message["role"] == "user"):
            return Reply(status=status, error={"message": "no"})
        if body["messages"][-1]["content"] == "Say yes.":
            return Reply("Yes.")
        return tinyworld_answers.answer(body, before)

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
    (row,) = [row for row in read_rejections(tmp_path / "out") if row.id == bad.id]
    assert row.reason == ("model failed at the prompt" if status == 500 else "prompt refused")
    assert row.row["caption"] == bad.caption and row.detail == f"status {status} no"
    assert result.num_in == result.num_out + result.num_rejected


def test_an_endpoint_that_fails_at_many_prompts_stops_the_run_though_it_answers_others(tmp_path, captions):
    texts = [row.caption for row in read_rows(captions, Caption)]

    def respond(body, before):
        said = body["messages"][-1]["content"]
        return Reply(status=500, error="no") if any(t in said for t in texts[:7]) else Reply("null")

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        with pytest.raises(UnavailableError, match="requests stayed unanswered: status 500 no"):
            write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)


def test_an_endpoint_that_is_down_stops_the_run_and_loses_no_answer(tmp_path, captions):
    down = True

    def respond(body, before):
        if down and len(server.answered) >= 10:
            return Reply(status=503, error="overloaded")
        return tinyworld_answers.answer(body, before)

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        with pytest.raises(
            UnavailableError, match="requests stayed unanswered: .*overloaded; run the same command again"
        ):
            write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
        down = False
        write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
        assert len(server.answered) == len(set(server.answered))
        undisturbed = tmp_path / "undisturbed"
        write_model_quadruples(captions, undisturbed, CONFIG, profile)
    assert bytes_of(tmp_path / "out") == bytes_of(undisturbed)


def test_a_run_killed_in_a_shard_goes_on_there_asks_nothing_twice_and_gives_the_same_bytes(tmp_path, captions):
    killed_at = 23  # In the second shard.
    hanging, release = threading.Event(), threading.Event()

    def respond(body, before):
        if len(server.answered) == killed_at and not release.is_set():
            hanging.set()
            release.wait(60)
        return tinyworld_answers.answer(body, before)

    with chat_server(respond) as server:
        profile = write_profile(tmp_path, server.url, num_concurrent=1)
        command = [
            sys.executable,
            "-m",
            "editfoundry",
            "quadruples",
            str(captions),
            str(tmp_path / "out"),
            "--writer",
            "language_model",
            "--profile",
            str(profile),
        ]
        env = {**os.environ, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
        first = subprocess.Popen(command, cwd=tmp_path, env=env)
        assert hanging.wait(60)
        first.send_signal(signal.SIGKILL)
        first.wait()
        journals = list((tmp_path / "out").glob("*.journal.jsonl"))
        assert len(journals) == 1 and journals[0].read_bytes().endswith(b"\n")
        torn = journals[0].read_bytes() + b'{"key": "torn in the mid'
        journals[0].write_bytes(torn)
        num_answered = len(server.answered)
        release.set()
        done = subprocess.run([*command, "--json"], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        # The hanging one was answered to a dead process, and must be asked again.
        answered = server.answered[:num_answered] + server.answered[num_answered + 1 :]
        assert len(answered) == len(set(answered))
        undisturbed = tmp_path / "undisturbed"
        result = write_model_quadruples(
            captions, undisturbed, QuadrupleConfig(writer="language_model"), load_profile(profile)
        )
    assert bytes_of(tmp_path / "out") == bytes_of(undisturbed)
    facts = json.loads(done.stdout)
    assert (facts["num_out"], facts["num_requests"]) == (result.num_out, result.totals["num_requests"])


def test_free_quadruples_are_as_many_of_every_category_as_asked_for(tmp_path):
    config = dataclasses.replace(CONFIG, rows_per_shard=12, quadruples_per_turn=2, num_turns=2)
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_free_quadruples(20, tmp_path / "out", config, profile)
        bodies, server.bodies = server.bodies, []
        again = write_free_quadruples(20, tmp_path / "out", config, profile)
        assert again.num_shards_reused == 2 and not server.bodies
        write_free_quadruples(20, tmp_path / "same", config, profile)
    written = list(read_rows(tmp_path / "out", Quadruple))
    assert result.num_out == len(written) == 20 and all(is_true(q) for q in written)
    counts = [sum(q.category == category for q in written) for category in TEXT_CATEGORIES]
    assert max(counts) - min(counts) <= 2
    assert len({q.id for q in written}) == 20
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "same")
    turns = [b for b in bodies if b["messages"][-1]["content"] == "Continue with 2 more, different from those above."]
    assert {len(b["messages"]) for b in turns} == {4, 6} and {b["max_tokens"] for b in turns} == {2 * 256}


def test_a_model_without_new_ideas_is_given_up_and_copies_of_exemplars_are_dropped(tmp_path):
    from editfoundry.synthesis.quadruples.exemplars import load_exemplars
    from editfoundry.synthesis.quadruples.quadruple_prompts import free_answer

    known = load_exemplars("world").categories["Long-Term"].exemplars
    with chat_server(lambda body, before: Reply(free_answer(known[:2]))) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        config = QuadrupleConfig(categories=("Long-Term",), verify=False)
        result = write_free_quadruples(3, tmp_path / "out", config, profile)
    assert result.num_out == 0 and set(result.rejected) == {"near copy"}


def test_free_answers_that_do_not_parse_are_recorded(tmp_path):
    with chat_server(lambda body, before: Reply("no")) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        config = QuadrupleConfig(categories=("Long-Term",), max_attempts=2)
        result = write_free_quadruples(3, tmp_path / "out", config, profile)
    assert result.num_out == 0 and set(result.rejected) == {"unparsable answer"}
    assert len(server.bodies) == 2 * result.num_in


def test_fewer_than_one_free_quadruple_is_bad_input(tmp_path):
    profile = load_profile(write_profile(tmp_path, "http://127.0.0.1:9/v1"))
    with pytest.raises(BadInputError, match="ask for at least 1"):
        write_free_quadruples(0, tmp_path / "out", CONFIG, profile)
    assert not (tmp_path / "out").exists()


def test_other_parameters_or_another_model_redo_the_shards(tmp_path, captions, monkeypatch):
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_model_quadruples(captions, tmp_path / "out", CONFIG, profile)
        batches = dataclasses.replace(CONFIG, requests_per_batch=9, rows_per_shard=3)
        assert write_model_quadruples(captions, tmp_path / "out", batches, profile).num_shards_reused == 2
        cooler = dataclasses.replace(CONFIG, temperature=0.1)
        assert write_model_quadruples(captions, tmp_path / "out", cooler, profile).num_shards_reused == 0
        text = (tmp_path / "mine.toml").read_text().replace("endpoint:tiny", "endpoint")
        (tmp_path / "mine.toml").write_text(text)
        monkeypatch.setenv("OPENAI_MODEL", "other")
        other = load_profile(tmp_path / "mine.toml")
        assert write_model_quadruples(captions, tmp_path / "out", cooler, other).num_shards_reused == 0


def test_a_caption_that_is_too_long_is_not_asked_about(tmp_path):
    write_rows(tmp_path / "captions" / "0.parquet", [Caption(caption="a " * 400)], Caption)
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        result = write_model_quadruples(tmp_path / "captions", tmp_path / "out", CONFIG, profile)
    assert result.rejected == {"input caption too long": 1} and not server.bodies


def test_journals_of_captions_that_are_gone_are_removed(tmp_path, captions):
    output = tmp_path / "out"
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_model_quadruples(captions, output, CONFIG, profile)
        journal_path(output / "00009.parquet").write_text("{}\n")
        write_model_quadruples(captions, output, CONFIG, profile)
    assert not list(output.glob("*.jsonl"))


def test_free_quadruples_do_not_replace_those_of_captions_unasked(tmp_path, captions):
    output = tmp_path / "out"
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_model_quadruples(captions, output, CONFIG, profile)
        before = bytes_of(output)
        with pytest.raises(BadInputError, match="out: holds quadruples made of .*captions, not of the exemplars alone"):
            write_free_quadruples(5, output, CONFIG, profile)
        assert bytes_of(output) == before
        assert write_free_quadruples(5, output, CONFIG, profile, replace=True).num_out == 5
        with pytest.raises(BadInputError, match="made of the exemplars alone, not of .*captions"):
            write_model_quadruples(captions, output, CONFIG, profile)


def test_a_shard_of_free_quadruples_says_how_far_it_is_and_goes_on_after_a_stop(tmp_path):
    down, told = True, []
    config = dataclasses.replace(CONFIG, quadruples_per_turn=1, num_turns=4)

    def respond(body, before):
        if down and len(server.answered) >= 25:
            return Reply(status=503, error="overloaded")
        return tinyworld_answers.answer(body, before)

    with chat_server(respond) as server:
        profile = load_profile(write_profile(tmp_path, server.url, num_concurrent=1))
        with pytest.raises(UnavailableError):
            write_free_quadruples(20, tmp_path / "out", config, profile, progress=lambda *n: told.append(n))
        numbers = [done for done, total in told]
        assert 0 < max(numbers) < 20 and numbers == sorted(numbers) and len(numbers) >= 25
        down = False
        write_free_quadruples(20, tmp_path / "out", config, profile, progress=lambda *n: told.append(n))
        assert told[-1] == (20, 20)
        assert len(server.answered) == len(set(server.answered))
        write_free_quadruples(20, tmp_path / "undisturbed", config, profile)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "undisturbed")


def test_a_shard_of_free_quadruples_is_made_alone_once_those_before_it_are_there(tmp_path):
    config = dataclasses.replace(CONFIG, rows_per_shard=5)
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_free_quadruples(10, tmp_path / "all", config, profile)
        with pytest.raises(BadInputError, match="'00001' depends on those before it"):
            write_free_quadruples(10, tmp_path / "out", config, profile, only="00001")
        for name in ("00000", "00001"):
            assert write_free_quadruples(10, tmp_path / "out", config, profile, only=name).num_out == 5
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "all")


def test_one_shard_of_captions_is_written_for_alone(tmp_path, captions):
    with chat_server(tinyworld_answers.answer) as server:
        profile = load_profile(write_profile(tmp_path, server.url))
        write_model_quadruples(captions, tmp_path / "all", CONFIG, profile)
        write_model_quadruples(captions, tmp_path / "out", CONFIG, profile, only="00001")
    assert not (tmp_path / "out" / "00000.parquet").exists()
    name = "00001.parquet"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
