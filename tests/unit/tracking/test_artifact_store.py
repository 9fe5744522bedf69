"""Artifacts in the project's own S3 server, which is brought up for whoever needs it."""

import os

import pytest
from mlflow import MlflowClient
from tiny_models import tiny_pipeline

from editfoundry.tracking import s3
from editfoundry.tracking.artifact_store import has_own_endpoint, s3_environment
from editfoundry.tracking.mlflow_client import default_tracking_uri, tracked_run
from editfoundry.tracking.model_registry import register_version, set_alias
from editfoundry.tracking.registered_models import registered_folder
from editfoundry.tracking.service_environment import service_environment

pytestmark = pytest.mark.slow

TAGS = {"data_hash": "abc.dir", "code_revision": "0d0fde5", "profile": "embedded", "report": "reports/editworld"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project whose S3 server has keys and is stopped."""
    root = tmp_path_factory.mktemp("project")
    s3.start(root)
    s3.stop(root)
    yield root
    s3.stop(root)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", f"s3://{s3.BUCKET}/mlflow")


def test_a_run_and_a_model_go_to_s3_and_come_back_with_the_server_up_only_meanwhile(root, tmp_path, monkeypatch):
    uri = default_tracking_uri(root)
    (root / "note.txt").write_text("hello")
    with tracked_run("training", "first", {}, {}, uri, root=root) as run:
        assert s3.status(root) is not None
        run.log_artifact(root / "note.txt")
    assert s3.status(root) is None
    assert MlflowClient(uri).get_run(run.run_id).info.artifact_uri.startswith("s3://editfoundry/mlflow/training/")

    tiny_pipeline().save_pretrained(root / "checkpoint")
    version = register_version(root / "checkpoint", tags=TAGS, tracking_uri=uri, run_id=run.run_id, root=root)
    set_alias("champion", version, uri)
    assert s3.status(root) is None

    monkeypatch.chdir(root)
    fetched = registered_folder("world-editor@champion", tmp_path / "cache", uri)
    weights = "unet/diffusion_pytorch_model.safetensors"
    (copied,) = fetched.rglob(weights)
    assert copied.read_bytes() == (root / "checkpoint" / weights).read_bytes()
    assert s3.status(root) is None
    assert not any(name in os.environ for name in ("AWS_ENDPOINT_URL_S3", "AWS_SHARED_CREDENTIALS_FILE"))


def test_an_experiment_stays_where_it_is(root, monkeypatch):
    uri = default_tracking_uri(root)
    monkeypatch.delenv("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    with tracked_run("local", "first", {}, {}, uri, root=root):
        assert s3.status(root) is None
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", f"s3://{s3.BUCKET}/mlflow")
    with tracked_run("local", "second", {}, {}, uri, root=root) as run:
        assert s3.status(root) is None
    assert MlflowClient(uri).get_run(run.run_id).info.artifact_uri.startswith((root / "mlruns").as_uri())


def test_keys_of_another_s3_do_not_reach_the_projects_own(root, monkeypatch):
    (root / "infra" / "dagster").mkdir(parents=True)
    (root / "infra" / "dagster" / "dagster.yaml").touch()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    server = s3.S3Server(pid=1, start_time=0.0, ports={"s3": 8333})
    inside = service_environment(root, server)
    assert "AWS_ACCESS_KEY_ID" not in inside
    assert inside["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:8333"
    assert service_environment(root, None)["AWS_ACCESS_KEY_ID"] == "theirs"


def test_an_endpoint_in_the_environment_is_used_unless_it_is_the_projects_own(root, monkeypatch):
    assert not has_own_endpoint(root)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.org")
    assert has_own_endpoint(root)
    server = s3.S3Server(pid=1, start_time=0.0, ports={"s3": 8333})
    for name, value in s3_environment(root, server).items():
        monkeypatch.setenv(name, value)
    assert not has_own_endpoint(root)
