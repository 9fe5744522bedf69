"""The whole lineage on the embedded models, with few records and few steps."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from rich.console import Console

from editfoundry.curation.curate import curate
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.shards import shard_paths
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.evaluation.lineage_report import headline_summary
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.lineage.demo import run_demo
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import Paths, run_stage
from editfoundry.pretrained.editor_base import load_editor
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.sources.caption_stage import CaptionParams
from editfoundry.sources.clip_stage import ClipParams
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.rehearsal.config import RehearsalConfig

EVERYTHING = ClipThresholds(clip_input=-1, clip_output=-1, clip_image=-1, clip_direction=-1)


@pytest.fixture(scope="module")
def params() -> Params:
    return Params(
        device="cpu",
        captions=CaptionParams(num_rows=24, rows_per_shard=12),
        editworld_text=TextBranchConfig(num_input_candidates=1, num_output_candidates=2, num_inference_steps=3),
        clips=ClipParams(num_clips=6, rows_per_shard=3),
        rehearsal=RehearsalConfig(num_pairs=40),
        dataset=CurationConfig(thresholds=EVERYTHING),
        editworld={"num_steps": 3, "batch_size": 4, "log_every": 1},
        editworld_report=ReportParams(
            num_world_cases=14, num_new_rule_cases=2, num_plain_cases=3, num_inference_steps=3
        ),
    )


@pytest.fixture(scope="module")
def project(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = tmp_path_factory.mktemp("project")
    run_demo(params, root, Console(quiet=True))
    return Paths(root)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_the_demo_ends_in_a_report_that_compares_base_and_fine_tuned(project: Paths) -> None:
    summary = headline_summary(project.editworld_report)

    for editor in ("base", "fine_tuned"):
        assert set(summary[editor]["overall"]) >= {"right", "sharp", "clip_score", "preservation_psnr"}
        assert len(summary[editor]["by_category"]) == 7
    assert "http" not in (project.editworld_report / "report.html").read_text().split("<style>")[0]


def test_running_it_again_redoes_nothing(params: Params, project: Paths) -> None:
    before = {p: p.stat().st_mtime_ns for p in project.root.rglob("*.tar")}
    checkpoint = (project.editworld / "training.json").stat().st_mtime_ns
    report = (project.editworld_report / "report.html").stat().st_mtime_ns

    run_demo(params, project.root, Console(quiet=True))

    assert {p: p.stat().st_mtime_ns for p in project.root.rglob("*.tar")} == before
    assert (project.editworld / "training.json").stat().st_mtime_ns == checkpoint
    assert (project.editworld_report / "report.html").stat().st_mtime_ns == report


def test_another_folder_gets_the_same_triplets_byte_for_byte_and_a_lost_shard_alone_is_redone(
    params: Params, project: Paths, tmp_path: Path
) -> None:
    stages = ("captions", "quadruples", "editworld_text", "clips", "frame_pairs", "editworld_video")
    for stage in stages:
        run_stage(stage, params, tmp_path)
    other = Paths(tmp_path)
    assert hashes(other.editworld_text) == hashes(project.editworld_text)
    assert hashes(other.editworld_video) == hashes(project.editworld_video)

    lost, kept = shard_paths(other.editworld_text)
    untouched = kept.stat().st_mtime_ns
    lost.unlink()
    result = run_stage("editworld_text", params, tmp_path)

    assert (result.num_shards, result.num_shards_reused) == (2, 1)
    assert kept.stat().st_mtime_ns == untouched
    assert hashes(other.editworld_text) == hashes(project.editworld_text)


def test_the_checkpoint_opens_in_plain_diffusers_and_gives_the_same_picture(project: Paths) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    settings = {"num_inference_steps": 4, "guidance_scale": 5.0, "image_guidance_scale": 1.5}
    plain = StableDiffusionInstructPix2PixPipeline.from_pretrained(project.editworld)
    theirs = plain("It starts to rain.", image, generator=torch.Generator().manual_seed(3), **settings).images[0]

    pipeline = load_editor(project.editworld, choose_runtime("cpu"))
    ours = edit_images(pipeline, [image], ["It starts to rain."], seeds=[3], **settings)[0]

    error = np.mean((np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)) ** 2)
    assert error == 0 or 10 * np.log10(255**2 / error) >= 40


def test_other_parameters_make_another_data_set(params: Params, project: Paths, tmp_path: Path) -> None:
    strict = replace(params, dataset=CurationConfig(thresholds=replace(EVERYTHING, clip_direction=0.05)))

    loose = curate(project.editworld_text, tmp_path / "loose", params.dataset)
    fewer = curate(project.editworld_text, tmp_path / "strict", strict.dataset)

    assert fewer.num_in == loose.num_in
    assert fewer.num_out == loose.num_out - fewer.rejected.get("low clip_direction", 0)
