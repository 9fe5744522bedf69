"""S3 away in the middle of a lineage: a clear cause, and nothing lost or doubled once it is back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.shown import show_captions
from dagster_project.stage_asset import stage_asset
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.lineage.stages import stage_named
from editfoundry.retraining.arrivals import arrived_tables
from editfoundry.sources.incoming import fetch_table, incoming_tables
from editfoundry.tracking import s3
from editfoundry.tracking.dvc_client import locked_hashes, record_stage

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


CONFIG = (REPOSITORY / ".dvc" / "config").read_text().replace("[core]", "[core]\n    no_scm = True")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("foundry") / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(CONFIG)
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"captions": stages["captions"]}}))
    yield root
    s3.stop(root)


def materialize(root: Path, num_rows: int) -> dg.ExecuteInProcessResult:
    (root / "params.yaml").write_text(
        yaml.safe_dump({"profile": "embedded", "captions": {"num_rows": num_rows, "rows_per_shard": 12}})
    )
    resources = {"foundry": Foundry(root=str(root), max_retries=1, retry_seconds=0.0), "dvc": DvcRepository()}
    asset = stage_asset(stage_named("captions"), show_captions)
    return dg.materialize([asset], resources=resources, raise_on_error=False)


def test_a_run_without_s3_fails_with_its_cause_and_a_second_one_loses_and_doubles_nothing(project: Path) -> None:
    s3.start(project)
    assert materialize(project, 12).success
    s3.stop(project)

    failed = materialize(project, 24)
    assert not failed.success
    [event] = [event for event in failed.all_node_events if event.is_step_failure]
    message = event.step_failure_data.error.message
    assert "captions is committed, but cannot be pushed to http://127.0.0.1:" in message

    server = s3.start(project)
    done = materialize(project, 24)
    assert done.success
    [materialization] = done.asset_materializations_for_node("captions")
    version = materialization.tags["dagster/data_version"]
    assert version == locked_hashes(project, "captions")["data/captions"]
    assert materialization.metadata["num_shards_reused"].value == 2

    clone = project.parent / "clone"
    shutil.copytree(project, clone, ignore=shutil.ignore_patterns("data", "cache", "tmp", ".services"))
    keys = s3.service_folder(project) / "credentials"
    local = f"['remote \"storage\"']\n    endpointurl = {server.endpoint}\n    credentialpath = {keys}\n"
    (clone / ".dvc" / "config.local").write_text(local)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q"], cwd=clone, check=True)
    listed = {p.name: p.read_bytes() for p in (project / "data" / "captions").iterdir()}
    assert {p.name: p.read_bytes() for p in (clone / "data" / "captions").iterdir()} == listed


def test_a_bucket_that_does_not_exist_is_not_made_by_a_push(project: Path) -> None:
    server = s3.start(project)
    config = project / ".dvc" / "config"
    config.write_text(CONFIG.replace("s3://editfoundry/dvc", "s3://misspelt/dvc"))
    try:
        with pytest.raises(
            UnavailableError, match="captions is committed, but cannot be pushed .*misspelt.*no such bucket"
        ):
            record_stage(project, "captions")
    finally:
        config.write_text(CONFIG)
    assert [b["Name"] for b in s3.client(project, server.endpoint).list_buckets()["Buckets"]] == [s3.BUCKET]


def test_objects_that_are_gone_from_the_bucket_are_pushed_anew(project: Path) -> None:
    server = s3.start(project)
    record_stage(project, "captions")
    bucket = s3.client(project, server.endpoint)
    pushed = [e["Key"] for e in bucket.list_objects_v2(Bucket=s3.BUCKET, Prefix="dvc/")["Contents"]]
    for key in pushed:
        bucket.delete_object(Bucket=s3.BUCKET, Key=key)
    record_stage(project, "captions")
    again = [e["Key"] for e in bucket.list_objects_v2(Bucket=s3.BUCKET, Prefix="dvc/")["Contents"]]
    # Those of the earlier, smaller table are gone for good.
    assert again and set(again) <= set(pushed)


def test_tables_in_a_bucket_arrive_and_are_copied_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = s3.start(project)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(s3.service_folder(project) / "credentials"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    address = f"s3://{s3.BUCKET}/incoming"
    put = s3.client(project, server.endpoint).put_object
    put(Bucket=s3.BUCKET, Key="incoming/birds.csv", Body=b"caption\na red bird\n")
    put(Bucket=s3.BUCKET, Key="incoming/older/fish.csv", Body=b"caption\na fish\n")
    folder = project / "data" / "incoming"
    first = arrived_tables(folder, address)
    assert list(first) == ["birds"]
    fetched = fetch_table(incoming_tables(address)["birds"], folder)
    assert fetched.read_bytes() == b"caption\na red bird\n"
    assert arrived_tables(folder, address) == first
    put(Bucket=s3.BUCKET, Key="incoming/birds.csv", Body=b"caption\na tan bird\n")
    assert arrived_tables(folder, address)["birds"] != first["birds"]


def test_what_dvc_refuses_is_told_in_its_own_words(project: Path) -> None:
    (project / "params.yaml").write_text("captions: {num_rows: 12}\n")
    with pytest.raises(BadInputError, match="dvc commit captions: .*'profile' are missing from 'params.yaml'"):
        record_stage(project, "captions", push=False)
