"""The stage: captions in, pairs of many tasks out; everything that falls is there with its task and its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import killed_runs
import pytest
import torch
from tiny_emu import ANSWERS, CONFIG, Agent, captions

from editfoundry.data.record import Caption
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import write_rows
from editfoundry.errors import BadInputError
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import check_params, stage_named
from editfoundry.profiles import load_profile
from editfoundry.synthesis.emu_edit import stage as emu_stage
from editfoundry.synthesis.emu_edit.choosing import NOT_AMONG_THE_BEST
from editfoundry.synthesis.emu_edit.config import MADE_TASKS, EmuPairConfig
from editfoundry.synthesis.emu_edit.kept_shares import shares_by_task
from editfoundry.synthesis.emu_edit.stage import OTHER_TASK, TWICE, synthesize_emu_pairs

THINGS = ("cat", "cup", "egg")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_rows(tmp_path / "captions" / "00000.parquet", captions(*THINGS[:2]), Caption)
    write_rows(tmp_path / "captions" / "00001.parquet", captions(THINGS[2]), Caption)
    return tmp_path / "captions"


def run(
    source: Path, output: Path, profile: Path, config: EmuPairConfig = CONFIG, agent: Agent | None = None
) -> StageResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emu_stage, "load_language_model", lambda *_: agent or Agent())
        return synthesize_emu_pairs(source, output, config, load_profile(profile), "cpu")


def test_every_task_has_a_pair_and_every_candidate_comes_out_or_is_rejected(
    source: Path, tmp_path: Path, emu_profile: Path
) -> None:
    result = run(source, tmp_path / "out", emu_profile)
    kept, dropped = list(read_triplets(tmp_path / "out")), list(read_rejections(tmp_path / "out"))
    assert result.num_in == 3 * 7 and result.num_in + result.num_derived == len(kept) + len(dropped)
    assert {t.task for t in kept} == set(CONFIG.tasks) and {t.recipe for t in kept} == {"emu-edit"}
    # Two draws of three masks, one of three, and one each.
    assert result.num_derived == 3 * (5 + 2 + 2)
    assert {row.reason for row in dropped} <= {NOT_AMONG_THE_BEST, "blank picture"}
    assert all(row.row["task"] in CONFIG.tasks and "candidate_seed" in row.row for row in dropped)
    for triplet in kept:
        assert (triplet.mask is None) == (triplet.task in ("global", "style", "color"))
        assert triplet.scores["clip_direction"] == pytest.approx(triplet.scores["clip_direction"])
    shares = {one.task: one for one in shares_by_task(tmp_path / "out")}
    assert shares["local"].num_kept == 3 and shares["local"].dropped.total() == 15
    assert shares["color"].share == 1.0


def test_what_is_added_is_painted_first_and_taken_away(source: Path, tmp_path: Path, emu_profile: Path) -> None:
    run(source, tmp_path / "out", emu_profile, replace(CONFIG, tasks=("add", "remove"), tasks_per_caption=2))
    by_task: dict[str, list[Any]] = {"add": [], "remove": []}
    for triplet in read_triplets(tmp_path / "out"):
        by_task[triplet.task].append(triplet)
    assert by_task["add"][0].output_caption == "a cat a hat in sea"
    assert all(t.provenance["mask"] in ("precise", "dilated", "box") for own in by_task.values() for t in own)


def test_bad_answers_are_rejected_by_reason_and_nothing_is_asked_twice(
    source: Path, tmp_path: Path, emu_profile: Path
) -> None:
    bad = {
        "cat": "I would rather not.",
        "cup": json.dumps({**ANSWERS["remove"], "original_object": "whale"}),
        "egg": json.dumps({**ANSWERS["remove"], "edit": "x" * 10_000, "original_object": "egg"}),
    }
    agent = Agent(lambda task, caption: bad[caption.split()[1]])
    config = replace(CONFIG, tasks=("remove",), tasks_per_caption=1)
    result = run(source, tmp_path / "out", emu_profile, config, agent)
    assert result.num_out == 0
    assert result.rejected == {"unparsable answer": 1, "object not in the caption": 1, "edit too long": 1}
    assert agent.num_asked == 3 * config.agent.max_attempts
    assert {row.row["task"] for row in read_rejections(tmp_path / "out")} == {"remove"}
    silent = Agent()
    assert run(source, tmp_path / "out", emu_profile, config, silent).num_shards_reused == 2 and not silent.num_asked
    assert not list((tmp_path / "out").glob("*.journal.jsonl"))


def test_an_edit_that_the_predictor_takes_for_another_task_is_not_painted(
    source: Path, tmp_path: Path, emu_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Predictor:
        def predict(self, instructions: list[str]) -> list[str]:
            return ["remove" if text == "remove it" else "" for text in instructions]

    load = emu_stage.load_emu_models
    monkeypatch.setattr(emu_stage, "load_emu_models", lambda *a: replace(load(*a), task_predictor=Predictor()))
    config = replace(CONFIG, tasks=("remove", "style"), tasks_per_caption=2)
    result = run(source, tmp_path / "out", emu_profile, config)
    assert result.rejected[OTHER_TASK] == 3 and {t.task for t in read_triplets(tmp_path / "out")} == {"remove"}


def test_a_caption_that_comes_twice_is_made_once(tmp_path: Path, emu_profile: Path) -> None:
    write_rows(tmp_path / "captions" / "00000.parquet", captions("cat", "cat"), Caption)
    config = replace(CONFIG, tasks=("color",), tasks_per_caption=1)
    result = run(tmp_path / "captions", tmp_path / "out", emu_profile, config)
    assert result.num_out == 1 and result.rejected == {TWICE: 1}


def test_only_a_part_whose_captions_changed_is_made_again(source: Path, tmp_path: Path, emu_profile: Path) -> None:
    config = replace(CONFIG, tasks=("color", "style"), tasks_per_caption=2)
    run(source, tmp_path / "out", emu_profile, config)
    write_rows(source / "00001.parquet", captions("hat"), Caption)
    assert run(source, tmp_path / "out", emu_profile, config).num_shards_reused == 1
    assert run(source, tmp_path / "out", emu_profile, replace(config, edits_per_batch=1)).num_shards_reused == 2
    assert run(source, tmp_path / "out", emu_profile, replace(config, seed=1)).num_shards_reused == 0


def test_what_changes_no_pair_is_not_in_its_provenance(source: Path, tmp_path: Path, emu_profile: Path) -> None:
    config = replace(CONFIG, tasks=("color",), tasks_per_caption=1)
    run(source, tmp_path / "out", emu_profile, config)
    run(source, tmp_path / "other", emu_profile, replace(config, edits_per_batch=1, num_captions=3))
    told, told_otherwise = (
        [triplet.provenance for triplet in read_triplets(tmp_path / name)] for name in ("out", "other")
    )
    assert told == told_otherwise and told[0]["num_inference_steps"] == 2


def test_captions_take_the_tasks_in_turns_and_a_number_of_them_is_the_first_ones(
    source: Path, tmp_path: Path, emu_profile: Path
) -> None:
    config = replace(CONFIG, tasks=("color", "style"), tasks_per_caption=1, num_captions=2)
    assert run(source, tmp_path / "out", emu_profile, config).num_in == 2
    kept = [(t.task, t.input_caption) for t in read_triplets(tmp_path / "out")]
    assert sorted(kept) == [("color", "a cat in sea"), ("style", "a cup in sea")]


def make(output: Path, source: str, profile: str) -> None:
    """What `killed_runs` does; every convolution is a moment."""
    forward = torch.nn.Conv2d.forward

    def ticking(self: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        killed_runs.tick()
        return forward(self, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Conv2d, "forward", ticking)
        run(Path(source), output, Path(profile))


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_leaves_the_same_bytes(
    source: Path, tmp_path: Path, emu_profile: Path
) -> None:
    told = killed_runs.killed_runs(__file__, "make", tmp_path / "runs", 20, str(source), str(emu_profile))
    assert len(told) == 20 and all(one["is_killed"] for one in told)
    whole = killed_runs.bytes_of(tmp_path / "runs" / "whole")
    assert sum(name.endswith(".tar") for name in whole) == 2
    for number in range(20):
        assert killed_runs.bytes_of(tmp_path / "runs" / f"{number:02}") == whole, told[number]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tasks": ["pose"]}, "tasks: 'pose'"),
        ({"writer": "nobody"}, "writer is 'nobody'"),
        ({"tasks": ["add"], "tasks_per_caption": 2}, "tasks_per_caption is 2"),
        ({"max_kept": 0}, "max_kept is 0"),
        ({"num_captions": -5}, "num_captions is -5; it must be at least 0"),
        ({"tasks": ["add", "add"], "tasks_per_caption": 2}, "tasks has 'add' twice"),
        ({"max_depth_difference": -0.1}, "max_depth_difference is -0.1"),
        ({"thresholds": {"clip_image": 7.0}}, "clip_image is 7.0; it must be from -1 to 1"),
        ({"agent": {"max_edit_characters": -1}}, "max_edit_characters is -1"),
        ({"agent": {"temperature": -1}}, "temperature is -1"),
        ({"agent": {"max_tokens": 0}}, "max_tokens is 0"),
        ({"masks": {"detector_threshold": 7}}, "detector_threshold is 7.0; it must be from 0 to 1"),
        ({"masks": {"blur": -1}}, "blur is -1.0"),
        ({"masks": {"kinds": ["box", "box"]}}, "kinds has 'box' twice"),
        ({"region": {"shares": [0.5, 1.5]}}, "shares is .0.5, 1.5.; it must be shares"),
        ({"region": {"guidance_scale": ["a", "b"]}}, "guidance_scale is .'a', 'b'.; it must be a lowest and a highest"),
        ({"inpainting": {"guidance_scale": [-1, 2]}}, "guidance_scale is .-1, 2.; it must be numbers of at least 0"),
        ({"style": {"feature_share": 2}}, "feature_share is 2.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(json.dumps({"emu_edit_pairs": wrong}))
    with pytest.raises(BadInputError, match=message):
        load_params(tmp_path / "params.yaml")


def test_models_are_asked_for_that_the_tasks_and_filters_take() -> None:
    arithmetic = EmuPairConfig(writer="tinyworld", tasks=("color", "canny"))
    assert arithmetic.roles == ("text_to_image", "clip")
    assert set(EmuPairConfig(writer="tinyworld").roles) == {"text_to_image", "clip", "detector", "segmenter", "depth"}
    assert "language_model" in EmuPairConfig().roles and len(MADE_TASKS) == 14


def test_a_profile_that_lacks_a_model_is_told_before_anything_is_painted(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("profile: embedded\nemu_edit_pairs: {caption_contrast: 1, tasks: [pose]}\n")
    with pytest.raises(BadInputError, match="'pose'"):
        load_params(params)
    profile = tmp_path / "bare.toml"
    profile.write_text('[text_to_image]\nmodel = "package:text_to_image"\n')
    params.write_text(f"profile: {profile}\nemu_edit_pairs: {{writer: tinyworld}}\n")
    with pytest.raises(BadInputError, match="no model for the role 'detector'"):
        check_params(load_params(params), tmp_path, params, [stage_named("emu_edit_pairs")])
