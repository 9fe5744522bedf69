"""The endpoint's client against a real HTTP server."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from email.utils import formatdate

import pytest
from chat_server import KEY, Reply, chat_server

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import Message, Prices, Request, Sampling
from editfoundry.pretrained.language_model import language_model_prices, load_language_model
from editfoundry.pretrained.request_slots import RequestSlots
from editfoundry.profiles import load_profile

SAMPLING = Sampling()


def requests(*texts):
    return [Request(chat=(Message("system", "be brief"), Message("user", text)), seed=7) for text in texts]


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def connect(tmp_path):
    """Open the endpoint of a server with options of the profile."""

    def opened(server, **options):
        options = {"base_url": server.url, "max_wait_seconds": 0.3, "num_attempts": 3, **options}
        lines = [
            f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for name, value in options.items()
        ]
        path = tmp_path / "mine.toml"
        path.write_text('[language_model]\nmodel = "endpoint:tiny"\n[language_model.options]\n' + "\n".join(lines))
        return load_language_model(load_profile(path))

    return opened


def echo(body, before):
    return Reply(f"you said {body['messages'][-1]['content']}")


@pytest.mark.parametrize("stream", [True, False])
def test_answers_come_in_the_order_of_the_requests_with_their_token_counts(connect, stream):
    with chat_server(echo) as server:
        seen = []
        answers = connect(server, stream=stream).answer(
            requests("a b", "c", "Grüße"), SAMPLING, lambda i, a: seen.append((i, a.text))
        )
    assert [a.text for a in answers] == ["you said a b", "you said c", "you said Grüße"]
    assert [(a.prompt_tokens, a.completion_tokens) for a in answers] == [(2, 4), (2, 3), (2, 3)]
    assert all(a.finish_reason == "stop" and not a.error for a in answers)
    assert sorted(seen) == [(i, a.text) for i, a in enumerate(answers)]


def test_the_request_is_the_protocols_with_the_papers_settings_and_the_key(connect):
    with chat_server(echo) as server:
        model = connect(server)
        model.answer(requests("a"), SAMPLING)
    assert server.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "a"}],
            "temperature": 0.7,
            "top_p": 1.0,
            "max_tokens": 256,
            "frequency_penalty": 0.1,
            "seed": 7,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    assert server.keys == {f"Bearer {KEY}"}
    assert model.name == "endpoint:tiny@main" and KEY not in repr(model)


def test_texts_that_end_an_answer_are_sent_where_there_are_any(connect):
    with chat_server(echo) as server:
        connect(server).answer(requests("a"), replace(SAMPLING, stop=("\nEND",)))
    assert server.bodies[0]["stop"] == ["\nEND"]


def test_fields_that_an_endpoint_refuses_are_not_sent(connect):
    with chat_server(echo) as server:
        model = connect(server, unsupported=["seed", "frequency_penalty"], max_tokens_field="max_completion_tokens")
        model.answer(requests("a"), SAMPLING)
    (body,) = server.bodies
    assert body["max_completion_tokens"] == 256
    assert not {"seed", "frequency_penalty", "max_tokens"} & body.keys()


FAILURES = {
    "429": Reply(status=429, error={"message": "slow down"}),
    "500": Reply(status=500, raw=b"<html>oops</html>"),
    "503 without a body": Reply(status=503, raw=b""),
    "malformed JSON": Reply(raw=b'{"choices": [{"message"'),
    "JSON that is no completion": Reply(raw=b"[1]"),
    "no choices": Reply(raw=b'{"choices": []}'),
    "content that is no text": Reply(raw=b'{"choices": [{"message": {"content": 3}}]}'),
    "a cut connection": Reply("a long answer that is cut", cut=True),
    "a stream that ends too early": Reply("a long answer that is cut", no_end=True),
    "an error in the stream": Reply("a long answer that fails", error_event={"message": "worker died"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_what_may_pass_is_tried_again(connect, failure):
    with chat_server(lambda body, before: failure if before == 0 else echo(body, before)) as server:
        (answer,) = connect(server).answer(requests("a"), SAMPLING)
    assert (answer.text, answer.error) == ("you said a", "") and len(server.bodies) == 2


BUSY = {"429", "503 without a body"}


def ask_good_and_bad(connect, failure, **options):
    def respond(body, before):
        return failure if body["messages"][-1]["content"] == "bad" else echo(body, before)

    options = {"num_attempts": 2, "max_wait_seconds": 0.05, **options}
    with chat_server(respond) as server:
        good, bad = connect(server, **options).answer(requests("good", "bad"), SAMPLING)
    assert good.text == "you said good" and not good.error
    return server, bad


@pytest.mark.parametrize("name", sorted(BUSY))
def test_an_endpoint_that_stays_busy_is_an_error_of_that_request_alone(connect, name):
    server, bad = ask_good_and_bad(connect, FAILURES[name])
    assert bad.error.startswith(f"endpoint {server.url}, model 'tiny': ") and "\n" not in bad.error
    assert len(server.bodies) == 3


@pytest.mark.parametrize("name", sorted(FAILURES.keys() - BUSY))
def test_a_prompt_at_which_an_endpoint_fails_again_and_again_while_it_answers_others_is_given_up(connect, name):
    server, bad = ask_good_and_bad(connect, FAILURES[name])
    assert (bad.finish_reason, bad.error) == ("failed", "") and "\n" not in bad.text
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert asked.count("bad") == 2


REFUSALS = {
    "400": Reply(status=400, error={"message": "no such token", "code": 400}),
    "413": Reply(status=413, raw=b"too large"),
    "422": Reply(status=422, raw=b'{"detail": "bad prompt"}'),
    "403 of a firewall": Reply(status=403, raw=b"<html>blocked</html>"),
    "over-long for vLLM": Reply(
        status=400,
        raw=b'{"object": "error", "message": "This model\'s maximum context length is 2048 tokens.", "code": 400}',
    ),
    "a slow body of a 400": Reply(status=400, drip_body=True),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_prompt_that_is_turned_down_for_good_is_an_answer_with_its_reason(connect, name):
    server, bad = ask_good_and_bad(connect, REFUSALS[name], timeout_seconds=1.0)
    assert (bad.finish_reason, bad.error) == ("refused", "") and "\n" not in bad.text
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert asked.count("bad") == 1


@pytest.mark.parametrize("status", [400, 500])
def test_one_prompt_alone_is_told_from_an_endpoint_that_fails_by_a_simple_question(connect, status):
    def respond(body, before):
        bad = body["messages"][-1]["content"] == "bad"
        return Reply(status=status, error="no") if bad else echo(body, before)

    def never(body, before):
        return Reply(status=status, error="no")

    options = {"num_attempts": 2, "max_wait_seconds": 0.05}
    with chat_server(respond) as server:
        (bad,) = connect(server, **options).answer(requests("bad"), SAMPLING)
    assert bad.finish_reason in ("refused", "failed")
    with chat_server(never) as server:
        model = connect(server, **options)
        if status == 400:
            with pytest.raises(BadInputError, match="status 400 no"):
                model.answer(requests("bad"), SAMPLING)
        else:
            (bad,) = model.answer(requests("bad"), SAMPLING)
            assert "status 500 no" in bad.error


@pytest.mark.parametrize("slow", [Reply(drip_headers=True), Reply(drip_body=True)], ids=["headers", "body"])
def test_an_answer_that_drips_in_is_ended_at_its_deadline(connect, slow):
    began = time.monotonic()
    with chat_server(lambda body, before: slow if before == 0 else echo(body, before)) as server:
        (answer,) = connect(server, timeout_seconds=0.5).answer(requests("a"), SAMPLING)
    assert answer.text == "you said a" and time.monotonic() - began < 5


def test_an_endless_line_of_a_stream_is_not_read_to_its_end(connect):
    flood = Reply(raw=b"x" * 20_000_000, headers={"Content-Type": "text/event-stream"})
    with chat_server(lambda body, before: flood if before == 0 else echo(body, before)) as server:
        (answer,) = connect(server).answer(requests("a"), SAMPLING)
    assert answer.text == "you said a"


def test_a_dead_endpoint_calls_off_the_rest_and_says_what_is_tried(connect, caplog):
    with chat_server(echo) as server:
        pass
    model = connect(server, num_attempts=3, max_wait_seconds=0.3, num_concurrent=1)
    seen = []
    began = time.monotonic()
    answers = model.answer(requests(*"abcdefgh"), SAMPLING, lambda i, a: seen.append(i))
    assert time.monotonic() - began < 3
    assert "ConnectError" in answers[0].error and "not asked, because it is down" in answers[-1].error
    assert sorted(seen) == list(range(8)) and seen[0] == 0
    assert f"endpoint {server.url}, model 'tiny': ConnectError" in caplog.text and "attempt 2 of 3 in" in caplog.text


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(connect, form):
    arrived = []

    def respond(body, before):
        arrived.append(time.time())
        wait = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
        return echo(body, before) if before else Reply(status=429, headers={"Retry-After": wait}, error="busy")

    with chat_server(respond) as server:
        (answer,) = connect(server, max_wait_seconds=5.0).answer(requests("a"), SAMPLING)
    assert answer.text == "you said a"
    assert 0.9 <= arrived[1] - arrived[0] < 4


def test_an_endpoint_that_asks_for_too_long_a_pause_has_failed_for_now(connect):
    reply = Reply(status=429, headers={"Retry-After": "3600"}, error={"message": "come back later"})
    with chat_server(lambda body, before: reply) as server:
        (answer,) = connect(server).answer(requests("a"), SAMPLING)
    assert "status 429 come back later" in answer.error and len(server.bodies) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_a_lasting_error_is_one_line_without_the_key(connect, status):
    reply = Reply(status=status, error={"message": f"wrong key {KEY}\nor model", "type": "invalid"})
    with chat_server(lambda body, before: reply) as server, pytest.raises(BadInputError) as error:
        connect(server, num_concurrent=1).answer(requests("a", "b", "c", "d"), SAMPLING)
    message = str(error.value)
    assert message == f"endpoint {server.url}, model 'tiny': status {status} wrong key *** or model"
    assert len(server.bodies) < 4


def test_what_was_answered_before_a_lasting_error_is_handed_on(connect):
    release = threading.Event()

    def respond(body, before):
        if body["messages"][-1]["content"] == "bad":
            return Reply(status=401, error="no")
        release.wait(0.5)
        return echo(body, before)

    seen = []
    with chat_server(respond) as server, pytest.raises(BadInputError):
        connect(server, num_concurrent=2).answer(requests("good", "bad"), SAMPLING, lambda i, a: seen.append(a.text))
    assert seen == ["you said good"]


@pytest.mark.parametrize("status", [200, 400])
def test_a_prompt_that_the_endpoint_never_answers_is_an_answer_without_text_of_use(connect, status):
    reply = Reply(status=status, error={"message": "filtered", "code": "content_filter"})
    with chat_server(lambda body, before: reply) as server:
        (answer,) = connect(server).answer(requests("a"), SAMPLING)
    assert answer.finish_reason == "refused" and not answer.error and len(server.bodies) == 1


def test_an_exhausted_quota_is_not_waited_for(connect):
    reply = Reply(status=429, error={"message": "pay first", "code": "insufficient_quota"})
    with chat_server(lambda body, before: reply) as server, pytest.raises(BadInputError, match="pay first"):
        connect(server).answer(requests("a"), SAMPLING)
    assert len(server.bodies) == 1


def test_no_more_requests_are_under_way_than_allowed_and_as_many_as_allowed(connect):
    def respond(body, before):
        time.sleep(0.1)
        return echo(body, before)

    with chat_server(respond) as server:
        connect(server, num_concurrent=3).answer(requests(*"abcdefgh"), SAMPLING)
    assert server.max_at_once == 3


def test_silence_times_out(connect):
    release = threading.Event()

    def respond(body, before):
        if before == 0:
            release.wait(5)
        return echo(body, before)

    with chat_server(respond) as server:
        (answer,) = connect(server, timeout_seconds=0.3).answer(requests("a"), SAMPLING)
        release.set()
    assert answer.text == "you said a" and len(server.bodies) == 2


def test_an_endpoint_that_is_not_there_is_an_error_of_the_request(connect):
    with chat_server(echo) as server:
        pass
    (answer,) = connect(server, num_attempts=2, max_wait_seconds=0.05).answer(requests("a"), SAMPLING)
    assert "ConnectError" in answer.error


def test_an_endpoint_that_counts_no_tokens_has_used_none_that_are_known(connect):
    with chat_server(lambda body, before: Reply("yes", usage=False)) as server:
        (answer,) = connect(server).answer(requests("a"), SAMPLING)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("yes", 0, 0)


def profile_of(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return load_profile(tmp_path / "mine.toml")


def test_address_and_model_come_from_the_environment(tmp_path, monkeypatch):
    profile = profile_of(tmp_path, "[language_model]\nmodel = 'endpoint'")
    monkeypatch.setenv("OPENAI_MODEL", "small")
    with chat_server(echo) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/")
        (answer,) = load_language_model(profile).answer(requests("a"), SAMPLING)
    assert answer.text == "you said a" and server.bodies[0]["model"] == "small"


@pytest.mark.parametrize(
    ("options", "variables", "message"),
    [
        ("", {}, "set OPENAI_BASE_URL to the endpoint's address"),
        ("", {"OPENAI_BASE_URL": "localhost:80"}, "must be an http or https address"),
        ("", {"OPENAI_BASE_URL": "http://me:pw@host"}, "must hold no user name, password or query"),
        ("", {"OPENAI_BASE_URL": "http://host", "OPENAI_API_KEY": "a\nb"}, "OPENAI_API_KEY holds a character"),
        ("num_concurrent = 0", {"OPENAI_BASE_URL": "http://h"}, "num_concurrent is 0"),
        ("stream = 3", {"OPENAI_BASE_URL": "http://h"}, "stream is 3, which is no bool"),
        ("key = 'x'", {"OPENAI_BASE_URL": "http://h"}, "unknown endpoint option 'key'"),
        ("price_per_million_prompt_tokens = 'x'", {"OPENAI_BASE_URL": "http://h"}, "must be numbers"),
    ],
)
def test_incomplete_or_wrong_settings_are_bad_input_without_the_secret(
    tmp_path, monkeypatch, options, variables, message
):
    monkeypatch.delenv("OPENAI_API_KEY")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    profile = profile_of(tmp_path, f"[language_model]\nmodel = 'endpoint:x'\n[language_model.options]\n{options}")
    with pytest.raises(BadInputError, match=message) as error:
        load_language_model(profile)
    assert "pw" not in str(error.value)


def test_a_model_must_be_named_somewhere(tmp_path):
    with pytest.raises(BadInputError, match="set OPENAI_MODEL"):
        load_language_model(profile_of(tmp_path, "[language_model]\nmodel = 'endpoint'"))


def test_prices_give_the_cost(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_PRICE_PER_MILLION_COMPLETION_TOKENS", "8")
    text = "[language_model]\nmodel = 'endpoint:x'\n[language_model.options]\nprice_per_million_prompt_tokens = 2"
    prices = language_model_prices(profile_of(tmp_path, text))
    assert prices == Prices(per_million_prompt_tokens=2.0, per_million_completion_tokens=8.0)
    assert prices.cost(1_000_000, 500_000) == 6.0


def test_all_clients_of_an_endpoint_share_its_number_of_requests_under_way(connect):
    """As many shards do, each with a client of its own."""

    def slow(body, before):
        time.sleep(0.1)
        return echo(body, before)

    with chat_server(slow) as server:
        clients = [connect(server, num_concurrent=2) for _ in range(3)]
        asked = [
            threading.Thread(target=client.answer, args=(requests(*(f"{number} {i}" for i in range(3))), SAMPLING))
            for number, client in enumerate(clients)
        ]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join()
        assert len(server.answered) == 9 and server.max_at_once == 2


def test_a_slot_of_a_process_that_was_killed_is_free_again(tmp_path):
    code = (
        "import sys, threading, time; from editfoundry.pretrained.request_slots import RequestSlots\n"
        "with RequestSlots(sys.argv[1], 1).held(threading.Event()):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    prefix, stopped = str(tmp_path / "slot"), threading.Event()
    holder = subprocess.Popen([sys.executable, "-c", code, prefix], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    taken = threading.Event()

    def take():
        with RequestSlots(prefix, 1).held(stopped):
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    assert not taken.wait(0.3)
    holder.kill()
    holder.wait()
    assert taken.wait(30)
    thread.join()


def batch_row(row, **answer):
    return json.dumps({"custom_id": row["custom_id"], "error": None, "response": None, **answer}) + "\n"


def batch_answer(text):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    return {"response": {"status_code": 200, "request_id": "x", "body": body}}


def test_requests_go_to_a_batch_apis_file_and_answers_come_from_one(connect, tmp_path):
    folder = tmp_path / "batches"
    with chat_server(echo) as server:
        model = connect(server, batch_folder=str(folder))
        first = model.answer(requests("a", "b", "c", "d"), SAMPLING)
        assert {answer.finish_reason for answer in first} == {"waiting"} and all(answer.error for answer in first)
        [path] = folder.iterdir()
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["body"]["messages"][-1]["content"] for row in rows] == ["a", "b", "c", "d"]
        assert {(row["method"], row["url"]) for row in rows} == {("POST", "/v1/chat/completions")}
        assert all("stream" not in row["body"] and row["body"]["model"] == "tiny" for row in rows)
        refused = {"error": {"code": "content_filter", "message": "no"}}
        answers = [
            batch_row(rows[2], **batch_answer("third \ud83d")),
            batch_row(rows[0], **batch_answer("first")),
            batch_row(rows[1], response={"status_code": 400, "body": refused}),
            batch_row(rows[3], error={"code": "batch_expired", "message": "too late"}),
        ]
        (folder / "batch_7_output.jsonl").write_text("".join(answers))
        seen = []
        again = model.answer(requests("a", "b", "c", "d"), SAMPLING, lambda index, answer: seen.append(index))
        assert not server.bodies
    assert [answer.text for answer in again[:3]] == ["first", "no", "third \x1a"]
    assert [answer.finish_reason for answer in again] == ["stop", "refused", "stop", "waiting"]
    assert seen == [0, 1, 2, 3] and model.usage.prompt_tokens == 10
    [rest] = [other for other in folder.glob("*.requests.jsonl") if other != path]
    assert [json.loads(line)["custom_id"] for line in rest.read_text().splitlines()] == [rows[3]["custom_id"]]


@pytest.mark.parametrize("line", ["{", "[1]", '{"id": 3}', "[" * 10_000])
def test_a_file_of_batch_answers_that_is_none_is_told_with_its_line(connect, tmp_path, line):
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches" / "mine.jsonl").write_text("\n" + line)
    with chat_server(echo) as server:
        model = connect(server, batch_folder=str(tmp_path / "batches"))
        with pytest.raises(BadInputError, match="mine.jsonl: line 2 "):
            model.answer(requests("a"), SAMPLING)
