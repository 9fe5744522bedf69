"""Stages run as functions, versioned by DVC, and fetched into another clone from a real S3 server."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from tiny_models import tiny_triplets

from editfoundry.data.shards import write_triplets
from editfoundry.lineage.dvc_file import dvc_address, ensure_line
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import LINES, Paths, run_stage, stages_of
from editfoundry.tracking import s3
from editfoundry.tracking.dvc_client import locked_hashes, set_local_endpoint

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = ("captions", "quadruples", "editworld_text", "clips", "frame_pairs", "editworld_video", "rehearsal", "dataset")
SCORES = {"clip_input": 0.25, "clip_output": 0.25, "clip_image": 0.8, "clip_direction": 0.5}
PARAMS = {
    "profile": "embedded",
    "device": "cpu",
    "captions": {"num_rows": 10, "rows_per_shard": 5},
    "quadruples": {"writer": "tinyworld"},
    "editworld_text": {"num_input_candidates": 1, "num_output_candidates": 1, "num_inference_steps": 2},
    "clips": {"num_clips": 2},
    "frame_pairs": {"decoding_threads": 1},
    "editworld_video": {"seed": 0},
    "rehearsal": {"num_pairs": 4},
    "dataset": {"thresholds": {"clip_input": -1, "clip_output": -1, "clip_image": -1, "clip_direction": -1}},
    "instruct_pix2pix_pairs": {"num_candidates": 8},
    "instruct_pix2pix": {"num_steps": 1},
    "instruct_pix2pix_report": {"num_plain_cases": 1, "num_trade_off_cases": 1},
    "emu_edit_pairs": {"tasks": ["color"]},
    "emu_edit": {"num_steps": 1},
    "emu_edit_report": {"num_task_cases": 1},
    "expressive": {"source": "truth"},
    "mgie": {"num_steps": 1},
    "mgie_report": {"num_world_cases": 1},
    "captioned_pictures": {"num_pictures": 1},
    "imagen_editor": {"num_steps": 1},
    "imagen_editor_report": {"num_prompts": 3},
}
OWN = [stage for line in LINES if line for stage in stages_of(line)]
"""Stages of lines of their own."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("services")
    started = s3.start(root)
    access_key, secret_key = s3.credentials(root)
    with pytest.MonkeyPatch.context() as environment:
        # They win over the keys that the shared configuration names, which another clone does not have.
        environment.setenv("AWS_ACCESS_KEY_ID", access_key)
        environment.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
        yield started
    s3.stop(root)


@pytest.fixture(scope="module")
def first(tmp_path_factory, server):
    """A clone with the lineage up to the data set, made by the stages' functions, committed and pushed."""
    root = tmp_path_factory.mktemp("clones") / "first"
    (root / ".dvc").mkdir(parents=True)
    shutil.copyfile(REPOSITORY / ".dvc" / "config", root / ".dvc" / "config")
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {name: stages[name] for name in STAGES}}))
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (root / ".gitignore").write_text("/data/\n/checkpoints/\n/reports/\n")
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    git(root, "init", "--quiet")
    set_local_endpoint(root, server.endpoint)
    params = load_params(root / "params.yaml")
    for name in ("captions", "quadruples", "clips", "frame_pairs", "rehearsal"):
        run_stage(name, params, root)
    synthesize(root)
    run_stage("dataset", params, root)
    for stage in OWN:
        ensure_line(root, stage.line)
        stage.folder(root).mkdir(parents=True)
        (stage.folder(root) / "made.bin").write_bytes(stage.name.encode())
    with Repo(str(root)) as repo:
        repo.commit(force=True)
        repo.push()
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "data")
    return root


def synthesize(root: Path) -> None:
    """Random pictures in place of minutes of sampling; to DVC, bytes are bytes."""
    triplets = [replace(triplet, scores=SCORES) for triplet in tiny_triplets(24)]
    write_triplets(Paths(root).editworld_text / "00000.tar", triplets[:16])
    write_triplets(Paths(root).editworld_video / "00000.tar", triplets[16:])


def test_after_the_stages_ran_dvc_finds_nothing_changed_and_nothing_to_do(first, monkeypatch):
    # Without targets, DVC takes the dvc.yaml of the current folder.
    monkeypatch.chdir(first)
    with Repo(str(first)) as repo:
        assert repo.status() == {}
        assert repo.status(cloud=True) == {}
    with Repo(str(first)) as repo:
        assert repo.reproduce() == []
    assert all(locked_hashes(first, name) for name in [*STAGES, *map(dvc_address, OWN)])


def test_another_parameter_makes_its_stage_and_no_earlier_one_stale(first):
    params = (first / "params.yaml").read_text()
    (first / "params.yaml").write_text(params.replace("num_inference_steps: 2", "num_inference_steps: 3"))
    with Repo(str(first)) as repo:
        stale = {name.rpartition(":")[2] for name in repo.status()}
    (first / "params.yaml").write_text(params)
    assert stale == {"editworld_text"}


def test_a_reproduction_of_the_project_leaves_a_line_of_its_own_alone_that_its_own_file_would_make(first, monkeypatch):
    monkeypatch.chdir(first)
    params = (first / "params.yaml").read_text()
    (first / "params.yaml").write_text(params.replace("num_candidates: 8", "num_candidates: 9"))
    with Repo(str(first)) as repo:
        assert {name.rpartition(":")[2] for name in repo.status()} == {"instruct_pix2pix_pairs"}
        assert repo.reproduce() == []
        would_be_made = repo.reproduce("lines/instruct_pix2pix/dvc.yaml", dry=True)
    (first / "params.yaml").write_text(params)
    assert would_be_made[0].addressing == "lines/instruct_pix2pix/dvc.yaml:instruct_pix2pix_pairs"


def test_a_second_clone_pulls_every_data_set_byte_for_byte_when_the_first_is_gone(first, server):
    second, away = first.with_name("second"), first.with_name("away")
    git(first.parent, "clone", "--quiet", str(first), str(second))
    first.rename(away)
    try:
        set_local_endpoint(second, server.endpoint)
        assert not (second / "data").exists()
        with Repo(str(second)) as repo:
            repo.pull()
            assert repo.status() == {}
        made, pulled = ({**hashes(clone / "data"), **line_hashes(clone)} for clone in (away, second))
        # DVC leaves alone what no stage names as its output.
        versioned = {name: digest for name, digest in made.items() if name != "tinyworld/captions.parquet"}
        assert pulled == versioned
        assert sum(name.endswith(".tar") for name in pulled) >= 3
    finally:
        away.rename(first)


def line_hashes(root: Path) -> dict[str, str]:
    return {f"{stage.name}/{name}": md5 for stage in OWN for name, md5 in hashes(stage.folder(root)).items()}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
