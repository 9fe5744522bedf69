"""What is installed from a wheel runs in an empty folder, without a checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A function that runs a module of the unpacked wheel in a folder."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "site")

    def run(cwd, *command):
        environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}
        line = [sys.executable, "-m", *map(str, command)]
        return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_project_of_ones_own_starts_with_what_the_wheel_ships(wheel, tmp_path):
    done = wheel(tmp_path, "editfoundry", "init", "project")
    assert done.returncode == 0, done.stderr
    for name in ("params.yaml", "dvc.yaml", ".dvc/config", ".gitignore", "infra/accelerate/cpu.yaml"):
        assert (tmp_path / "project" / name).read_bytes() == (REPOSITORY / name).read_bytes()
    assert wheel(tmp_path / "project", "dvc", "stage", "list", "--name-only").stdout.split()[0] == "captions"


def test_dagster_finds_the_definitions_of_the_wheel_and_works_in_the_folder_it_was_started_in(wheel, tmp_path):
    listed = wheel(tmp_path, "dagster", "asset", "list", "-m", "dagster_project.definitions")
    assert {"captions", "editworld_report"} <= set(listed.stdout.split()), listed.stderr
    (tmp_path / "ask.py").write_text(
        "from dagster_project.defs.resources import Foundry\n"
        "print(Foundry().folder, Foundry().params.editworld['num_steps'])\n"
    )
    shipped = yaml.safe_load((REPOSITORY / "params.yaml").read_text())["editworld"]["num_steps"]
    assert wheel(tmp_path, "ask").stdout.split() == [str(tmp_path), str(shipped)]
