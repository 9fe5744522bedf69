"""What Dagster's side costs: loading the definitions, and a sensor's look at 1,000 source shards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
from timing import record

from dagster_project.defs.automation import new_source_data
from dagster_project.defs.partitions import SOURCE_SHARDS
from dagster_project.defs.resources import Foundry

NUM_SHARDS = 1000
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
        path.write_text("caption\na dog on grass\n")
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
