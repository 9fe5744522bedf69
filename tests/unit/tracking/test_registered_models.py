"""Registered models whose files lie with a real MLflow server, not on this disk."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_models import tiny_pipeline

from editfoundry.editors.open_editor import editor_folder
from editfoundry.tracking.model_registry import register_version, set_alias
from editfoundry.tracking.ports import free_port, is_serving

pytestmark = pytest.mark.slow

TAGS = {"data_hash": "abc.dir", "code_revision": "0d0fde5", "profile": "embedded", "report": "reports/editworld"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An MLflow server on SQLite that keeps artifacts itself."""
    port = free_port(29_100)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        str(tmp_path / "kept"),
    ]
    process = subprocess.Popen(
        [*command, *store, "--serve-artifacts"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    deadline = time.monotonic() + 240
    while not is_serving(port) and time.monotonic() < deadline:
        time.sleep(0.5)
    for name in ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"):
        monkeypatch.delenv(name, raising=False)
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield uri
    # The server's own children too, which its end alone does not end.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_candidate_whose_files_the_server_keeps_is_fetched_once_and_found(server, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny_pipeline().save_pretrained(tmp_path / "checkpoint")
    capfd.readouterr()
    version = register_version(tmp_path / "checkpoint", tags=TAGS, tracking_uri=server, root=tmp_path)
    set_alias("candidate", version, server)
    weights = "unet/diffusion_pytorch_model.safetensors"
    for name in ("world-editor@candidate", "models:/world-editor@candidate", "models:/world-editor/1"):
        folder = editor_folder(name)
        assert folder.is_relative_to(".cache/registered") and (folder / "model_index.json").is_file()
        assert (folder / weights).read_bytes() == (tmp_path / "checkpoint" / weights).read_bytes()
    assert len(list((tmp_path / ".cache" / "registered").iterdir())) == 1
    # No bars of files that are copied, which would fill a log.
    assert "it/s" not in capfd.readouterr().err
