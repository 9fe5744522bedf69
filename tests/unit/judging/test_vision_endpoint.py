"""The judge behind an endpoint, against a real HTTP server: what is sent, what is read, what it costs."""

from __future__ import annotations

import base64
import io
import json
import math
import time

import numpy as np
import pytest
from chat_server import KEY, Reply, chat_server
from PIL import Image
from tiny_models import tiny_image
from tiny_painter import tiny_clip

from editfoundry.curation.score import score
from editfoundry.curation.score_config import ScoreConfig
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets, write_triplets
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.judging import EditPair, JudgeConfig, judge_pairs
from editfoundry.judging.judge_noise import is_repeated
from editfoundry.judging.judge_prompts import QUESTIONS
from editfoundry.judging.structured_answers import expected_value, parse_structured
from editfoundry.pretrained.chat import AnswerToken, ChatAnswer
from editfoundry.pretrained.fitness import check_models
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.judge_model import load_judge_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
PLAIN = JudgeConfig(descriptions=False)
PAIR = EditPair(input_image=tiny_image(0), output_image=tiny_image(1), instruction="Make it snow.")


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def profile_of(tmp_path):
    def write(server, more="", **options):
        options = {"base_url": server.url, "max_wait_seconds": 0.3, "num_attempts": 2, **options}
        lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
        path = tmp_path / "mine.toml"
        path.write_text(
            '[vision_language_model]\nmodel = "endpoint:seer"\n[vision_language_model.options]\n'
            + "\n".join(lines)
            + f"\n{more}"
        )
        return load_profile(path)

    return write


def tokens_of(number, odds):
    """The tokens of {"answer": NUMBER...} as endpoints tell them, the number's with its alternatives."""
    alternatives = [{"token": text, "logprob": math.log(share)} for text, share in odds.items()]
    return [
        {"token": '{"answer":', "logprob": 0.0, "top_logprobs": []},
        {"token": f" {number}", "logprob": alternatives[0]["logprob"], "top_logprobs": alternatives},
        {"token": "}", "logprob": 0.0, "top_logprobs": []},
    ]


def says(number, reason="as asked", **more):
    return Reply(json.dumps({"answer": number, "reason": reason}), **more)


def choices_of(body):
    return body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]


def steady(body, before):
    return says(max(choices_of(body)))


def sent_pictures(body):
    urls = [part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


@pytest.mark.parametrize("stream", [True, False])
def test_a_pair_is_shown_one_picture_after_the_other_and_judged_by_schema(profile_of, stream):
    with chat_server(steady) as server:
        [judged] = judge_pairs(load_judge_model(profile_of(server, stream=stream), CPU), [PAIR], PLAIN)
    assert judged.scores == {
        "judge_semantic_alignment": 5.0,
        "judge_identity_consistency": 5.0,
        "judge_image_quality": 5.0,
        "judge_success": 1.0,
    }
    assert judged.reasons["semantic_alignment"] == "as asked" and judged.captions is None
    assert len(server.bodies) == len(QUESTIONS)
    shown = {len(sent_pictures(body)) for body in server.bodies}
    assert shown == {1, 2}
    both = next(body for body in server.bodies if len(sent_pictures(body)) == 2)
    for sent, picture in zip(sent_pictures(both), (PAIR.input_image, PAIR.output_image), strict=True):
        assert np.array_equal(np.asarray(sent), np.asarray(picture))
    assert both["messages"][0]["content"][-1]["text"].count("Instruction: Make it snow.") == 1
    assert both["response_format"]["json_schema"]["strict"] and choices_of(both) == [1, 2, 3, 4, 5]
    assert both["logprobs"] and both["temperature"] == 0


@pytest.mark.parametrize("stream", [True, False])
def test_where_probabilities_are_told_a_score_is_their_expectation(profile_of, stream):
    def respond(body, before):
        if choices_of(body) == [0, 1]:
            return says(1, logprobs=tokens_of(1, {" 1": 0.6, "0": 0.2, "yes": 0.2}))
        return says(4, logprobs=tokens_of(4, {" 4": 0.5, "4": 0.1, " 2": 0.4}))

    with chat_server(respond) as server:
        model = load_judge_model(profile_of(server, stream=stream), CPU)
        [judged] = judge_pairs(model, [PAIR], PLAIN)
        [written] = judge_pairs(model, [PAIR], JudgeConfig(descriptions=False, answers="text"))
    assert judged.semantic_alignment == pytest.approx(0.6 * 4 + 0.4 * 2)
    assert judged.success == pytest.approx(0.75)
    assert written.semantic_alignment == 4.0 and "logprobs" not in server.bodies[-1]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"answer": 4, "reason": "good"}', 4),
        ('```json\n{"answer": 2}\n```', 2),
        ("4, the egg is fried", 4),
        ('{"answer": 7}', None),
        ('{"answer": "4"}', None),
        ('{"answer": true}', None),
        ("", None),
        ("[" * 2000, None),
    ],
)
def test_an_answer_is_json_or_a_number_first_and_nothing_else(text, number):
    found = parse_structured(text, ("1", "2", "3", "4", "5"))
    assert (None if found is None else found.number) == number


def test_without_the_numbers_token_there_is_no_expectation():
    assert expected_value(ChatAnswer(text="4"), ("1", "4")) is None
    assert expected_value(ChatAnswer(tokens=(AnswerToken("x", {"4": 0.0}),)), ("1", "4")) is None
    assert expected_value(ChatAnswer(tokens=(AnswerToken("4", {}),)), ("1", "4")) is None


def test_what_is_no_answer_is_asked_again_and_then_kept_as_it_was_written(profile_of):
    asked = []

    def respond(body, before):
        if choices_of(body) == [0, 1]:
            asked.append(body["seed"])
            return Reply("I would rather not say") if len(asked) == 1 else says(1)
        return Reply("perhaps")

    with chat_server(respond) as server:
        [judged] = judge_pairs(load_judge_model(profile_of(server), CPU), [PAIR], PLAIN)
    assert judged.unparsed["semantic_alignment"] == "perhaps" and judged.semantic_alignment == 1.0
    assert "success" not in judged.unparsed and len(asked) == 2
    scales = [body for body in server.bodies if choices_of(body) != [0, 1]]
    assert len(scales) == 6 and len({body["seed"] for body in scales}) == 6


def test_an_endpoint_that_is_down_leaves_the_judgement_for_later(profile_of):
    with chat_server(lambda body, before: Reply(status=503, error={"message": "down"})) as server:
        with pytest.raises(UnavailableError, match="questions about pictures stayed unanswered: .*503"):
            judge_pairs(load_judge_model(profile_of(server), CPU), [PAIR], PLAIN)


def test_an_endpoint_that_fails_at_most_pictures_gives_no_lowest_scores(profile_of):
    def blind(body, before):
        return Reply(status=500, error={"message": "no eyes"}) if "image_url" in str(body) else Reply("hello")

    with chat_server(blind) as server:
        model = load_judge_model(profile_of(server, num_attempts=1, num_concurrent=1), CPU)
        with pytest.raises(UnavailableError, match="4 of 4 questions about pictures failed: status 500 no eyes"):
            judge_pairs(model, [PAIR], PLAIN)


def test_further_fields_are_sent_and_go_before_ours(profile_of):
    more = '[vision_language_model.options.extra_body]\nreasoning_effort = "low"\ntop_logprobs = 5\n'
    more += "chat_template_kwargs = {enable_thinking = false}\n"
    with chat_server(steady) as server:
        judge_pairs(load_judge_model(profile_of(server, more), CPU), [PAIR], PLAIN)
    for body in server.bodies:
        assert (body["reasoning_effort"], body["top_logprobs"]) == ("low", 5)
        assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_large_pictures_are_scaled_down_before_they_are_sent(profile_of):
    pair = EditPair(input_image=tiny_image(0, (90, 60)), output_image=tiny_image(1, (90, 60)), instruction="x")
    with chat_server(steady) as server:
        judge_pairs(load_judge_model(profile_of(server, max_image_side=30), CPU), [pair], PLAIN)
    assert {picture.size for body in server.bodies for picture in sent_pictures(body)} == {(30, 20)}


def test_a_run_stops_once_it_has_cost_what_it_may(profile_of):
    options = {"price_per_million_completion_tokens": 1e6, "max_cost": 8.0, "num_concurrent": 1}
    with chat_server(steady) as server:
        model = load_judge_model(profile_of(server, **options), CPU)
        with pytest.raises(BadInputError, match="requests have cost .*, and max_cost is 8: raise it") as caught:
            for _ in range(20):
                judge_pairs(model, [PAIR], PLAIN)
    assert len(server.bodies) < 12 and "\n" not in str(caught.value)
    with pytest.raises(BadInputError, match="max_cost needs prices"):
        load_judge_model(profile_of(server, max_cost=1.0), CPU)


def test_no_more_requests_a_minute_are_sent_than_allowed_by_all_together(profile_of):
    with chat_server(steady) as server:
        models = [load_judge_model(profile_of(server, requests_per_minute=1200), CPU) for _ in range(2)]
        started = time.monotonic()
        for model in models:
            judge_pairs(model, [PAIR], PLAIN)
        # Eight requests in turns of 50 ms, the first at once: never sooner, however fast the machine is.
        assert time.monotonic() - started >= 7 * 0.05 - 0.02


def test_the_model_of_the_environment_is_part_of_the_identity(profile_of, tmp_path, monkeypatch):
    (tmp_path / "bare.toml").write_text('[vision_language_model]\nmodel = "endpoint"\n')
    profile = load_profile(tmp_path / "bare.toml")
    monkeypatch.setenv("OPENAI_MODEL", "one")
    assert model_identity(profile, "vision_language_model") == ["endpoint:one@main"]


def test_a_profile_whose_judge_is_an_endpoint_can_be_checked_before_anything_is_loaded(tmp_path):
    (tmp_path / "bare.toml").write_text('[vision_language_model]\nmodel = "endpoint:owner/seer"\n')
    check_models(load_profile(tmp_path / "bare.toml"), ["vision_language_model"])


@pytest.fixture
def scored_with(profile_of, tmp_path):
    def run(server, config=PLAIN, **options):
        profile = profile_of(server, **options)
        for part in tiny_clip():
            part.save_pretrained(tmp_path / "clip")
        path = tmp_path / "mine.toml"
        path.write_text(path.read_text() + f'\n[clip]\nmodel = "{tmp_path / "clip"}"\n')
        triplets = [
            Triplet(
                instruction=f"edit {n}",
                input_image=tiny_image(n),
                output_image=tiny_image(n + 9),
                input_caption="a cat",
                output_caption="a dog",
            )
            for n in range(6)
        ]
        write_triplets(tmp_path / "in" / "00000.tar", triplets)
        return score(tmp_path / "in", tmp_path / "out", ScoreConfig(judge=config), load_profile(profile_path(profile)))

    def profile_path(profile):
        return tmp_path / f"{profile.name}.toml"

    return run


def test_scoring_reports_tokens_cost_and_how_much_judgements_vary(scored_with, tmp_path):
    def moody(body, before):
        return says(4 if body["seed"] % 2 else 3) if choices_of(body) != [0, 1] else says(1)

    with chat_server(moody) as server:
        config = JudgeConfig(descriptions=False, repeat_share=1.0)
        result = scored_with(server, config, price_per_million_completion_tokens=1e6)
    totals = result.totals
    assert totals["judged_twice"] == 6 and 0 < totals["judge_noise"] < 1
    assert totals["num_requests"] == len(server.bodies) == 6 * 2 * len(QUESTIONS)
    assert totals["cost"] == totals["completion_tokens"] > 0
    for triplet in read_triplets(tmp_path / "out"):
        assert triplet.scores["judge_success"] == 1.0 and "judge_caption_fit" not in triplet.scores
        assert triplet.provenance["scored_by"]["vision_language_model"] == "endpoint:seer@main"


def test_what_the_endpoint_refuses_to_judge_is_rejected_with_its_reason(scored_with, tmp_path):
    def strict(body, before):
        if "edit 3" in str(body["messages"]):
            return Reply(status=400, error={"code": "content_filter", "message": "not this picture"})
        return steady(body, before)

    with chat_server(strict) as server:
        result = scored_with(server)
    assert result.rejected == {"unparsable judgement": 1} and result.num_out == 5
    [rejected] = read_rejections(tmp_path / "out")
    assert "not this picture" in rejected.detail


def test_the_share_that_is_judged_twice_is_told_by_the_ids():
    ids = [f"{n * 16**12 // 100:016x}" for n in range(0, 6553600, 4096)]
    assert not any(is_repeated(i, 0.0) for i in ids) and all(is_repeated(i, 1.0) for i in ids)
    assert sum(is_repeated(i, 0.25) for i in ids) / len(ids) == pytest.approx(0.25, abs=0.05)


@pytest.fixture
def triplet_shard(tmp_path):
    for part in tiny_clip():
        part.save_pretrained(tmp_path / "clip")
    pictures = [tiny_image(seed) for seed in range(8)]
    write_triplets(
        tmp_path / "in" / "00000.tar",
        [
            Triplet(instruction="Make it snow.", input_image=before, output_image=after)
            for before, after in zip(pictures[::2], pictures[1::2], strict=True)
        ],
    )
    return tmp_path


@pytest.mark.parametrize("answers", ["probabilities", "text"])
def test_a_run_that_was_stopped_asks_nothing_twice_and_counts_all_of_it(profile_of, triplet_shard, answers):
    def down_after_nine(body, before):
        number = max(choices_of(body))
        tokens = tokens_of(number, {f" {number}": 0.75, " 1": 0.25} if number > 1 else {" 1": 1.0})
        is_down = len(server.bodies) > 9 and not server.healed
        return Reply(status=503, error="busy") if is_down else says(number, logprobs=tokens)

    config = ScoreConfig(judge=JudgeConfig(descriptions=False, answers=answers), records_per_batch=2)
    source, output = triplet_shard / "in", triplet_shard / "out"
    more = f"[clip]\nmodel = '{triplet_shard / 'clip'}'\n"
    with chat_server(down_after_nine) as server:
        server.healed = False
        profile = profile_of(server, more, num_concurrent=1, num_attempts=1)
        with pytest.raises(UnavailableError):
            score(source, output, config, profile, "cpu")
        [journal] = output.glob("*.judge.journal.jsonl")
        kept = len(journal.read_text().splitlines())
        server.healed = True
        result = score(source, output, config, profile, "cpu")
    assert kept == 9 and len(set(server.answered)) == len(server.answered) == 4 * len(QUESTIONS)
    assert result.totals["num_requests"] == 4 * len(QUESTIONS) and not list(output.glob("*.jsonl"))
    alignments = {t.scores["judge_semantic_alignment"] for t in read_triplets(output / "00000.tar")}
    assert alignments == {4.0 if answers == "probabilities" else 5.0}


def test_questions_about_pictures_go_through_files_of_a_batch_api_too(profile_of, triplet_shard):
    folder = triplet_shard / "batches"
    config = ScoreConfig(judge=PLAIN)
    with chat_server(steady) as server:
        profile = profile_of(server, f"[clip]\nmodel = '{triplet_shard / 'clip'}'\n", batch_folder=str(folder))
        arguments = (triplet_shard / "in", triplet_shard / "out", config, profile, "cpu")
        with pytest.raises(UnavailableError, match="waits to be submitted"):
            score(*arguments)
        [requests] = folder.glob("*.requests.jsonl")
        rows = [json.loads(line) for line in requests.read_text().splitlines()]
        assert len(rows) == 4 * len(QUESTIONS) and not server.bodies
        told = [{"custom_id": row["custom_id"], **response_to(row["body"])} for row in rows]
        (folder / "batch_1_output.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
        result = score(*arguments)
    assert result.num_out == 4 and not server.bodies
    assert {t.scores["judge_success"] for t in read_triplets(triplet_shard / "out" / "00000.tar")} == {1.0}


def response_to(body):
    content = json.dumps({"answer": max(choices_of(body)), "reason": "so it is"})
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"response": {"status_code": 200, "body": {"choices": [choice]}}, "error": None}
