"""The production instance against a real Postgres: what infra/kubernetes/dagster.yaml says of storage works."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import dagster as dg
import pytest
import yaml

SETTINGS = Path(__file__).resolve().parents[2] / "infra" / "kubernetes" / "dagster.yaml"
PASSWORD = "only for this test"

pytestmark = pytest.mark.skipif(
    shutil.which("initdb") is None or shutil.which("pg_ctl") is None, reason="no Postgres here: apt install postgresql"
)


@pytest.fixture
def postgres():
    """A server in a temporary folder; Postgres refuses to run as root, so then it runs as `postgres`."""
    # pytest's own temporary folders are closed to other users.
    with tempfile.TemporaryDirectory(prefix="editfoundry-postgres-") as folder:
        yield from serve(Path(folder))


def serve(folder: Path):
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL)

    data = str(folder / "data")
    run("initdb", "--pgdata", data, "--username", "dagster", "--auth", "scram-sha-256", "--pwfile", "password")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "--pgdata", data, "--wait", "--log", str(folder / "log"), "--options", options, "start")
    try:
        yield port
    finally:
        run("pg_ctl", "--pgdata", data, "--wait", "--mode", "fast", "stop")


@dg.asset
def kept() -> None:
    """An asset that only has to be remembered."""


def test_a_materialization_is_still_there_for_the_next_process(postgres, tmp_path, monkeypatch):
    for name, value in {"HOST": "127.0.0.1", "USERNAME": "dagster", "PASSWORD": PASSWORD, "DB": "postgres"}.items():
        monkeypatch.setenv(f"DAGSTER_PG_{name}", value)
    settings = yaml.safe_load(SETTINGS.read_text())
    settings["storage"]["postgres"]["postgres_db"]["port"] = postgres
    # A cluster and a bucket are not here; what is left is what the file says of storage.
    for name in ("run_launcher", "compute_logs"):
        del settings[name]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([kept], instance=instance).success
    with dg.DagsterInstance.get() as again:
        assert again.get_latest_materialization_event(dg.AssetKey("kept")) is not None
        assert type(again.event_log_storage).__name__ != "SqliteEventLogStorage"
    assert not list(tmp_path.rglob("*.db"))
