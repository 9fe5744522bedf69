"""The video branch's last stage: frame pairs in, triplets out, with a real Video-LLaVA and a real chat endpoint."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny_painter
import tiny_video_llava
from chat_server import Reply, chat_server
from tiny_videos import growing_disc, write_video

from editfoundry.data.hashing import file_hash
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError, MissingModelError, UnavailableError
from editfoundry.profiles import load_profile
from editfoundry.sources.video_folder import convert_video_folder
from editfoundry.synthesis.editworld_video.clip_frames import storyline_frames
from editfoundry.synthesis.editworld_video.config import VIDEO_CATEGORIES, VideoBranchConfig
from editfoundry.synthesis.editworld_video.stage import synthesize_video
from editfoundry.synthesis.editworld_video.storyline_prompts import load_storyline_prompts
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.stage import mine_frame_pairs

CONFIG = VideoBranchConfig(max_description_tokens=6, records_per_batch=2)
ANSWER = {
    "category": "Exaggeration", "input_caption": "a small red disc", "instruction": "The disc just keeps growing.",
    "output_caption": "a huge red disc", "keywords": ["disc", "small"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny_painter.save_models(folder)
    tiny_video_llava.saved_profile(folder)
    return folder


@pytest.fixture(scope="module")
def pairs(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for seed in range(3):
        write_video(folder / "in" / f"{seed}.mp4", growing_disc(seed), options={"crf": "12"})
    convert_video_folder(folder / "in", folder / "clips", files_per_shard=2)
    config = FramePairConfig(decoding_threads=1, min_clip_similarity=-1.0)
    mine_frame_pairs(folder / "clips", folder / "pairs", config, load_profile(models / "tiny.toml"), "cpu")
    return folder / "pairs"


def profile_of(models, folder, url):
    lines = [(models / name).read_text() for name in ("tiny.toml", "video_llm.toml")]
    options = f'[language_model.options]\nbase_url = "{url}"\nmax_wait_seconds = 0.05\nnum_attempts = 1\n'
    path = folder / "mine.toml"
    path.write_text("".join([*lines, '[language_model]\nmodel = "endpoint:tiny"\n', options]))
    return load_profile(path)


def always(text):
    return chat_server(lambda body, before: Reply(text))


def test_pairs_become_triplets_with_words_and_provenance(models, pairs, tmp_path):
    with always(f"Sure!\n```json\n{json.dumps(ANSWER)}\n```") as server:
        result = synthesize_video(pairs, tmp_path / "out", CONFIG, profile_of(models, tmp_path, server.url), "cpu")
    assert (result.num_in, result.num_out, result.rejected) == (3, 3, {})
    assert result.totals["num_requests"] == len(server.bodies) == 3
    given, made = list(read_triplets(pairs)), list(read_triplets(tmp_path / "out"))
    for pair, triplet in zip(given, made, strict=True):
        assert triplet.input_image.tobytes() == pair.input_image.tobytes()
        assert {name: getattr(triplet, name) for name in ANSWER} == {**ANSWER, "keywords": ("disc", "small")}
        assert triplet.recipe == "editworld-video" and triplet.source == pair.source
        assert {"video_language_model", "language_model", "description", "first_time"} <= set(triplet.provenance)
        assert (tmp_path / "out" / triplet.provenance["video"]).is_file()
        assert {"clip_output", "clip_direction", "change"} <= set(triplet.scores)
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert all(any(triplet.provenance["description"] in text for text in asked) for triplet in made)
    assert not list((tmp_path / "out").glob("*.journal.jsonl"))


@pytest.mark.parametrize(("answer", "reason", "num_requests"), [
    ("null", "no storyline", 3), ("It is a nice disc.", "unparsable answer", 6),
    (json.dumps({**ANSWER, "category": "Long-Term"}), "unknown category", 6),
    (json.dumps({**ANSWER, "output_caption": "a small red disc"}), "nothing changes", 6),
    (json.dumps({**ANSWER, "instruction": ""}), "no instruction", 6),
])  # fmt: skip
def test_what_is_no_instruction_is_rejected_with_what_was_written(
    answer, reason, num_requests, models, pairs, tmp_path
):
    with always(answer) as server:
        result = synthesize_video(pairs, tmp_path / "out", CONFIG, profile_of(models, tmp_path, server.url), "cpu")
    assert (result.num_out, result.rejected) == (0, {reason: 3})
    assert len(server.bodies) == num_requests
    assert all(rejected.row["answer"] == answer for rejected in read_rejections(tmp_path / "out"))


def test_a_run_that_was_stopped_asks_nothing_twice_and_leaves_the_same_bytes(models, pairs, tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    with always(json.dumps(ANSWER)) as server:
        synthesize_video(pairs, whole, CONFIG, profile_of(models, tmp_path, server.url), "cpu")
        synthesize_video(pairs, torn, CONFIG, profile_of(models, tmp_path, server.url), "cpu")
        (torn / "00001.parquet").unlink()
    stopping = chat_server(lambda body, before: Reply(status=500, error="down"))
    with stopping as server, pytest.raises(UnavailableError):
        synthesize_video(pairs, torn, CONFIG, profile_of(models, tmp_path, server.url), "cpu")
    with always(json.dumps(ANSWER)) as server:
        again = synthesize_video(pairs, torn, CONFIG, profile_of(models, tmp_path, server.url), "cpu")
        assert (again.num_shards_reused, len(server.bodies)) == (1, 1)
    names = sorted(path.name for path in whole.iterdir())
    assert names == sorted(path.name for path in torn.iterdir())
    assert [file_hash(whole / name) for name in names] == [file_hash(torn / name) for name in names]


def test_a_video_that_is_gone_is_a_rejection(models, pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "elsewhere" / "pairs")
    with always(json.dumps(ANSWER)) as server:
        profile = profile_of(models, tmp_path, server.url)
        result = synthesize_video(tmp_path / "elsewhere" / "pairs", tmp_path / "out", CONFIG, profile, "cpu")
    assert result.rejected == {"unreadable": 3} and server.bodies == []


def test_the_frames_of_a_storyline_are_its_ends_and_what_lies_between(pairs):
    video = pairs.parent / "in" / "0.mp4"
    frames = storyline_frames(video, 0.5, 2.5, num_frames=5, longer_side=48)
    assert [frame.size for frame in frames] == [(48, 32)] * 5
    reds = [sum(r > 200 and g < 90 for r, g, _ in frame.get_flattened_data()) for frame in frames]
    assert reds[0] < reds[2] < reds[4]


def test_without_a_video_language_model_one_line_names_the_role(models, pairs, tmp_path):
    with pytest.raises(MissingModelError, match="'video_language_model'") as error:
        synthesize_video(pairs, tmp_path / "out", CONFIG, load_profile(models / "tiny.toml"), "cpu")
    assert "\n" not in str(error.value)


def test_the_shipped_prompts_are_whole_and_show_every_category():
    prompts = load_storyline_prompts("world")
    assert tuple(prompts.definitions) == VIDEO_CATEGORIES
    assert {exemplar["category"] for exemplar in prompts.exemplars} == set(VIDEO_CATEGORIES)
    chat = prompts.instruct("A disc grows.", "red disc", num_exemplars=3, key=(0, 0))
    assert len(chat) == 1 + 2 * 4 + 1 and chat[-1].content.endswith("Description: A disc grows.\nCaption: red disc")
    for exemplar in prompts.exemplars:
        assert set(exemplar["keywords"]) <= set(exemplar["input_caption"].split())


PROMPTS = "[prompts]\ndescribe = 'x'\ninstruct = 'x'\nstoryline = 'x'\n"
CATEGORY = "[[categories]]\nname = 'a'\ndefinition = 'b'\n"


@pytest.mark.parametrize(("text", "message"), [
    ("[prompts]\ndescribe = 'x'", "prompts: 'instruct' is missing"), ("a = [", "not a TOML file"),
    ("prompts = 5", "prompts must be a table"), (f"refused = 5\n{PROMPTS}{CATEGORY}", "refused must be tables"),
    (f"categories = 5\n{PROMPTS}", "categories must be tables"), (f"{CATEGORY}{CATEGORY}", "'prompts' is missing"),
    (f"{PROMPTS}{CATEGORY}{CATEGORY}", "categories has 'a' twice"),
    (f"{PROMPTS}{CATEGORY}[[exemplars]]\ncategory = 'b'", "exemplar 1: 'input_caption' is missing"),
    (f"{PROMPTS}{CATEGORY}[[refused]]\ndescription = 3", "refused 1: description must be a text, not 3"),
    ("a = " + "[" * 5000, "nested too deeply"),
    (PROMPTS, "has no category; each is a table"),
])  # fmt: skip
def test_malformed_prompts_are_bad_input(text, message, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadInputError, match=message):
        load_storyline_prompts(str(tmp_path / "mine.toml"))
