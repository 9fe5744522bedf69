"""What the doctor says, without a network and without weights."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from editfoundry.cli import app
from editfoundry.errors import BadInputError
from editfoundry.lineage.doctor import GIB, READY, REFUSED, TOO_SMALL, WAITS, Examination, examine
from editfoundry.lineage.params import Params, load_params
from editfoundry.lineage.stages import MAIN_LINE


def with_post_edit(profile: str) -> Params:
    params = load_params(None, profile)
    return dataclasses.replace(params, editworld_report=dataclasses.replace(params.editworld_report, post_edit={}))


@pytest.fixture(scope="module", params=["paper", "modern"])
def large(request, tmp_path_factory) -> Examination:
    return examine(with_post_edit(request.param), tmp_path_factory.mktemp("project"), 24 * GIB)


def test_every_stage_of_the_large_profiles_fits_24_gib(large):
    too_large = {stage.stage: stage.needed / GIB for stage in large.stages if stage.needed > 0.95 * 24 * GIB}
    assert not too_large
    verdicts = {stage.stage: stage.verdict for stage in large.stages}
    assert verdicts["editworld_text"] == verdicts["editworld_report"] == verdicts["editworld"] == WAITS
    assert verdicts["captions"] == verdicts["clips"] == REFUSED and not large.is_ready


def test_judge_and_painter_take_turns(large):
    phases = {phase.name: phase for stage in large.stages if stage.stage == "editworld_text" for phase in stage.phases}
    assert "vision_language_model" not in phases["painting"].resident
    assert "text_to_image" not in phases["judging"].resident


def test_what_is_missing_is_told_with_the_command_that_fetches_what_is_loaded_of_it(large):
    roles = {role.role: role for role in large.roles}
    painter = roles["text_to_image"]
    assert not painter.is_here and painter.license == "openrail++"
    assert painter.num_bytes_on_disk == pytest.approx(13.9e9, rel=0.01)
    assert painter.fetch is not None
    assert painter.fetch.startswith('hf download stabilityai/stable-diffusion-xl-base-1.0 --include "*.json"')
    assert roles["ip_adapter"].fetch is not None and "sdxl_models/image_encoder/*" in roles["ip_adapter"].fetch
    assert roles["lpips"].num_bytes_on_disk == pytest.approx(244e6, rel=0.01)
    unknown = [role.role for role in large.roles if role.num_parameters is None]
    # What stands behind an endpoint has no weights to count.
    assert set(unknown) <= {"language_model", "moderator"}


@pytest.mark.parametrize("memory", ["inf", "1.7e308"])
def test_a_memory_without_end_is_refused(memory):
    raised = CliRunner().invoke(app, ["doctor", "--json", "--memory", memory]).exception
    assert isinstance(raised, BadInputError) and "--memory is" in str(raised) and "finite number of GiB" in str(raised)


def test_the_embedded_profile_is_ready_and_the_json_says_all_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(printed.stdout.splitlines()[-1])
    assert found["is_ready"] and found["problems"] == []
    assert [stage["stage"] for stage in found["stages"]] == [stage.name for stage in MAIN_LINE]
    assert all(role["is_here"] and role["fetch"] is None for role in found["roles"])
    assert all(
        phase["needed"] if "needed" in phase else phase["weights"] for s in found["stages"] for phase in s["phases"]
    )


def test_what_does_not_fit_is_told_with_its_phase(tmp_path):
    found = examine(load_params(None), tmp_path, memory=GIB // 50)
    verdicts = {stage.stage: stage for stage in found.stages}
    assert verdicts["editworld"].verdict == TOO_SMALL and "training takes" in verdicts["editworld"].reason
    assert verdicts["captions"].verdict == READY


def test_a_model_of_ones_own_is_told_by_its_folder_and_one_that_is_nowhere_is_unknown(tmp_path):
    (tmp_path / "mine.toml").write_text("[clip]\nmodel = 'owner/name'\nrevision = 'v2'\n[dino]\nmodel = './gone'\n")
    params = load_params(None, str(tmp_path / "mine.toml"))
    roles = {role.role: role for role in examine(params, tmp_path, GIB).roles}
    assert roles["clip"].num_bytes_on_disk is None and not roles["clip"].is_here
    assert roles["clip"].fetch is not None and roles["clip"].fetch.startswith("hf download owner/name --revision v2")
    assert roles["dino"].fetch is None and not roles["dino"].is_here


@pytest.mark.parametrize("columns", [80, 160])
def test_the_tables_break_no_name_and_the_last_line_says_whether_all_can_run(tmp_path, monkeypatch, columns):
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": str(columns)}).stdout
    for name in ("vision_language_model", "editworld_report", "comparing frames"):
        assert name in printed
    assert ("models there" in printed) == (columns == 160) and "@main" not in printed
    *_, last = printed.strip().splitlines()
    assert last.startswith("every stage can run here; writing takes") and "licence" not in printed
