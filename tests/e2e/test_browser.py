"""A fresh clone in a headless browser: Dagster materializes the embedded lineage, MLflow shows the training.

`make e2e` runs it. With EDITFOUNDRY_SCREENSHOTS=FOLDER the pictures that it takes are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from chromium import CHROMIUM, needs_browser
from tiny_project import commit, git, write_project

HERE = Path(__file__).resolve().parent
pytestmark = needs_browser


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    root = tmp_path_factory.mktemp("clones") / "first"
    write_project(root)
    return root


@pytest.fixture(scope="module")
def seen(clone, tmp_path_factory):
    """What the browser saw, as browser.mjs prints it."""
    pictures = Path(os.environ.get("EDITFOUNDRY_SCREENSHOTS") or tmp_path_factory.mktemp("pictures")).resolve()
    with workbench(clone) as addresses:
        command = [
            "node",
            str(HERE / "browser.mjs"),
            CHROMIUM,
            addresses["Dagster"],
            addresses["MLflow"].partition("/#")[0],
            str(pictures),
        ]
        done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, timeout=3600, check=False)
        assert done.returncode == 0, "the browser's script says above what it did not find"
    # Nothing may write into the clone any more: a test moves it away.
    return json.loads(done.stdout.splitlines()[-1])


def test_dagster_shows_the_groups_and_makes_the_lineage(seen):
    assert {"sources", "triplets", "dataset", "checkpoints", "reports"} <= set(seen["groups"])
    assert seen["run"] == "SUCCESS"


def test_the_data_sets_page_has_thumbnails_and_its_hash(seen):
    assert seen["thumbnails"] > 0
    assert re.search(r"[0-9a-f]{32}(\.dir)?", seen["dataset_metadata"])


def test_the_checks_pass_but_for_warnings(seen):
    """Nobody judges the tiny lineage, which its check says as a warning."""
    assert set(seen["checks"].values()) <= {"passed", "WARN"}
    passed = {name for name, verdict in seen["checks"].items() if verdict == "passed"}
    assert {
        "dataset: splits_share_nothing",
        "editworld: loss_is_finite",
        "editworld_report: report_is_complete",
    } <= passed


def test_the_checkpoints_page_leads_to_its_training_with_curve_pictures_and_the_hash_of_its_data(seen):
    assert seen["training"]["is_linked"]
    assert seen["training"]["points_of_loss"] >= 3
    assert seen["training"]["num_pictures"] >= 1
    assert any(name.startswith("dvc.") for name in seen["training"]["tags"])


def test_the_reports_page_leads_to_the_report(seen):
    assert seen["report"]["status"] == 200
    assert "EditWorld on tinyworld" in seen["report"]["title"]


def test_dvc_has_nothing_to_do_and_another_clone_pulls_the_same_bytes(seen, clone):
    assert "up to date" in dvc(clone, "status")
    assert "up to date" in dvc(clone, "repro")
    commit(clone, "data")
    second, away = clone.with_name("second"), clone.with_name("away")
    git(clone.parent, "clone", "--quiet", str(clone), str(second))
    for name in (".services", ".dvc/config.local"):
        if (clone / name).is_dir():
            shutil.copytree(clone / name, second / name)
        elif (clone / name).is_file():
            shutil.copyfile(clone / name, second / name)
    clone.rename(away)
    try:
        subprocess.run([sys.executable, "-m", "editfoundry.tracking.s3", "start"], cwd=second, check=True)
        dvc(second, "pull")
        for folder in ("data/dataset", "data/triplets/editworld-text", "checkpoints/editworld", "reports/editworld"):
            assert hashes(second / folder) == hashes(away / folder)
    finally:
        subprocess.run([sys.executable, "-m", "editfoundry.tracking.s3", "stop"], cwd=second, check=False)
        away.rename(clone)


def test_a_third_clone_that_pulls_nothing_makes_the_same_bytes(seen, clone):
    commit(clone, "locked")
    third = clone.with_name("third")
    git(clone.parent, "clone", "--quiet", str(clone), str(third))
    assert not (third / "data").exists()
    dvc(third, "repro")
    told = [{stage: facts["outs"] for stage, facts in locked(root).items()} for root in (clone, third)]
    timed = ("editworld", "editworld_report")
    assert len(told[0]) == 10
    for stage in told[0].keys() - set(timed):
        assert told[0][stage] == told[1][stage], stage
    # Besides, checkpoint and report tell how long they took; what was learned, and what came of it, is the same.
    made, again = (hashes(root / "checkpoints" / "editworld") for root in (clone, third))
    weights = [name for name in made if name.endswith(".safetensors")]
    assert weights and all(made[name] == again[name] for name in weights)
    told = [json.loads((root / "reports/editworld/summary.json").read_text()) for root in (clone, third)]
    assert told[0] == told[1]


@contextlib.contextmanager
def workbench(root: Path):
    """Run `editfoundry ui` and yield name -> address."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_", "DAGSTER_"))},
        "PYTHONPATH": f"{root / 'src'}:{root}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "editfoundry", "ui"]
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield dict(addresses(process))
    finally:
        process.terminate()
        process.communicate(timeout=120)


def addresses(process):
    # As long as a busy machine may take, see `editfoundry.tracking.service`.
    deadline = time.monotonic() + 3 * 900
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if found := re.match(r"\s+(\w+)\s+(http://\S+)", line):
            yield found.groups()
        if "Ctrl-C" in line or not line:
            return


def dvc(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout


def locked(root: Path) -> dict[str, dict]:
    return yaml.safe_load((root / "dvc.lock").read_text())["stages"]


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
