"""What Dagster's side costs: loading the definitions, a sensor's look at 1,000 source shards, and a whole lineage."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import yaml
from timing import record
from tiny_project import write_project

from dagster_project.defs.automation import new_source_data
from dagster_project.defs.partitions import SOURCE_SHARDS
from dagster_project.defs.resources import Foundry
from editfoundry.tracking import s3
from editfoundry.tracking.service_environment import service_environment

NUM_SHARDS = 1000
DEMO_SECONDS = 600.0
"""What the demo may take; what Dagster adds to its stages does not grow with their work."""
LOAD = "from dagster_project.definitions import defs; defs().get_repository_def()"


def test_orchestration(tmp_path: Path) -> None:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", LOAD], check=True, cwd=Path(__file__).parents[2])
    load_seconds = time.perf_counter() - started
    foundry = Foundry(root=str(tmp_path))
    foundry.paths.incoming.mkdir(parents=True)
    names = [f"shard-{number}" for number in range(NUM_SHARDS)]
    for name in names:
        path = foundry.paths.incoming / f"{name}.csv"
        path.write_text("caption,punsafe\na dog on grass,0\n")
        os.utime(path, (0, 0))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(SOURCE_SHARDS.name, names)
        started = time.perf_counter()
        found = new_source_data(dg.build_sensor_context(instance=instance, resources={"foundry": foundry}))
        look_seconds = time.perf_counter() - started
    assert len(found.run_requests) == NUM_SHARDS
    rows = [
        ["definitions, in a process of their own", f"{load_seconds:.1f}"],
        [f"a sensor's look at {NUM_SHARDS} new source shards", f"{look_seconds:.2f}"],
    ]
    record("Orchestration", "Interpreter and imports included.", ["", "seconds"], rows)


def test_a_lineage_through_dagster_against_its_plain_commands(tmp_path: Path) -> None:
    """The same stages on the same S3 and MLflow: each command of dvc.yaml in turn, and Dagster, which versions too."""
    plain, through_dagster = tmp_path / "plain", tmp_path / "dagster"
    for root in (plain, through_dagster):
        write_project(root)
    server = s3.start(through_dagster)
    try:
        plain_seconds = _seconds(_stage_commands(plain), plain, service_environment(plain, None))
        # A selection of assets by name does not parse where DVC's omegaconf holds antlr4 at 4.9; a job needs none.
        retraining = "dagster job execute -m dagster_project.definitions -j retraining".split()
        environment = service_environment(through_dagster, server)
        dagster_seconds = _seconds([retraining], through_dagster, environment)
    finally:
        s3.stop(through_dagster)
    assert (plain / "reports/editworld/summary.json").is_file()
    assert (through_dagster / "reports/editworld/summary.json").is_file()
    added = dagster_seconds - plain_seconds
    rows = [
        ["each stage's command", f"{plain_seconds:.0f}", ""],
        ["Dagster, with checks, DVC's cache and push to S3, MLflow, the gate", f"{dagster_seconds:.0f}", ""],
        ["added, and its share of a demo of ten minutes", f"{added:.0f}", f"{added / DEMO_SECONDS:.1%}"],
    ]
    record("Orchestration of a whole lineage", "Stages of a few seconds each.", ["", "seconds", ""], rows)


def _stage_commands(root: Path) -> list[list[str]]:
    commands: list[list[str]] = []
    for stage in yaml.safe_load((root / "dvc.yaml").read_text())["stages"].values():
        lines = [stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"]
        commands += [line.split() for line in lines]
    return commands


def _seconds(commands: list[list[str]], root: Path, environment: dict[str, str]) -> float:
    paths = {
        "PYTHONPATH": f"{root / 'src'}:{root}",
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
    }
    started = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, cwd=root, env={**environment, **paths}, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
