"""From a table that arrives to a candidate at the gate: the real sensor, jobs, training process and registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from gate_projects import write_candidate

from dagster_project.definitions import defs as load_defs
from dagster_project.defs.automation import new_source_data
from dagster_project.defs.reports.champion import champion_gate
from dagster_project.defs.reports.checks import no_regression
from dagster_project.defs.resources import DvcRepository, Foundry
from editfoundry.tinyworld.captions import write_laion_table
from editfoundry.tracking.mlflow_client import tracking_uri_of
from editfoundry.tracking.model_registry import version_by_alias

pytestmark = pytest.mark.slow

TINY = {
    "device": "cpu",
    "captions": {"num_rows": 16, "rows_per_shard": 16},
    "quadruples": {"writer": "tinyworld"},
    "editworld_text": {"num_input_candidates": 1, "num_output_candidates": 1, "num_inference_steps": 2},
    "clips": {"num_clips": 6, "rows_per_shard": 6},
    "frame_pairs": {"decoding_threads": 1},
    "editworld_video": {"seed": 0},
    "dataset": {"thresholds": {"clip_input": -1, "clip_output": -1, "clip_image": -1, "clip_direction": -1}},
    "editworld": {"num_steps": 2, "batch_size": 2, "log_every": 1},
    "editworld_report": {
        "num_world_cases": 7, "num_new_rule_cases": 1, "num_plain_cases": 3, "num_inference_steps": 2,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def foundry(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(yaml.safe_dump(TINY))
    patch = pytest.MonkeyPatch()
    patch.setenv("EDITFOUNDRY_ROOT", str(root))
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield Foundry(root=str(root), settle_seconds=0.0)
    patch.undo()


def shards_named(foundry: Foundry, name: str) -> dict[str, str]:
    files = sorted(path for path in (foundry.folder / "data").rglob(f"{name}.*") if "incoming" not in path.parts)
    return {str(p.relative_to(foundry.folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def gate(foundry: Foundry, instance: dg.DagsterInstance) -> tuple[dict[str, Any], bool]:
    """Materialize the gate; return what it shows, and whether there is no regression."""
    result = dg.materialize(
        [champion_gate, no_regression],
        instance=instance,
        raise_on_error=False,
        resources={"foundry": foundry, "dvc": DvcRepository(mode="off")},
    )
    [materialization] = result.asset_materializations_for_node("champion_gate")
    [check] = result.get_asset_check_evaluations()
    # A refused candidate warns and leaves the run whole.
    assert result.success and check.severity == dg.AssetCheckSeverity.WARN
    assert check.description == materialization.metadata["decision"].value
    return {name: value.value for name, value in materialization.metadata.items()}, check.passed


def test_a_table_that_arrives_becomes_a_candidate_and_the_gate_tells_better_from_worse(foundry: Foundry) -> None:
    instance = dg.DagsterInstance.ephemeral()
    repository = load_defs().get_repository_def()
    cursor = None

    def tick() -> list[dg.RunRequest]:
        """Look once, as the daemon does: register partitions, run what is asked for."""
        nonlocal cursor
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"foundry": foundry})
        found = new_source_data(context)
        cursor = found.cursor
        for request in found.dynamic_partitions_requests or []:
            instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        for run in found.run_requests or []:
            job = repository.get_job(run.job_name)
            assert job.execute_in_process(instance=instance, partition_key=run.partition_key).success
        return list(found.run_requests or [])

    assert tick() == []
    write_laion_table(foundry.paths.incoming / "arrived.parquet", 12, 5)
    assert [(run.job_name, run.partition_key) for run in tick()] == [("source_shard", "arrived")]
    made = shards_named(foundry, "arrived")
    assert {Path(name).parent.name for name in made} == {"captions", "quadruples", "editworld-text"}
    assert [run.job_name for run in tick()] == ["retraining"]
    assert shards_named(foundry, "arrived") == made
    sources = {json.dumps(path.name) for path in foundry.paths.editworld_text.glob("*.tar")}
    assert sources == {'"00000.tar"', '"arrived.tar"'}
    assert tick() == []

    candidate = version_by_alias("candidate", tracking_uri=tracking_uri_of(foundry.folder))
    assert candidate is not None and candidate.tags["gate_opponent"] == "base"

    write_candidate(foundry.folder, "better", 40)
    shown, holds = gate(foundry, instance)
    assert (shown["promoted"], holds) == (True, True)
    champion = version_by_alias("champion", tracking_uri=tracking_uri_of(foundry.folder))
    assert champion is not None and champion.version == shown["version"]

    write_candidate(foundry.folder, "worse", 5)
    shown, holds = gate(foundry, instance)
    assert (shown["promoted"], holds) == (False, False)
    assert shown["reason"].startswith(f"worse than the champion, version {champion.version}")
    assert version_by_alias("champion", tracking_uri=tracking_uri_of(foundry.folder)) == champion
