"""The whole workbench on this machine: S3, MLflow's UI and Dagster, started together and stopped together."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from editfoundry.tracking import s3
from editfoundry.tracking.mlflow_client import default_tracking_uri
from editfoundry.tracking.ports import LOOPBACK, free_port, is_serving
from editfoundry.tracking.processes import end_process

MLFLOW_PORT = 5000
DAGSTER_PORT = 3000
START_SECONDS = 180.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """One child process that serves a port."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: int

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.port}"


def run_ui(root: Path) -> int:
    """Serve S3, MLflow and Dagster of a project until Ctrl-C or SIGTERM; print their addresses.

    Args:
        root: folder of the project; state goes to its ``.services``, ``.dagster``, ``mlflow.db`` and ``mlruns``.

    Returns:
        0 after Ctrl-C or SIGTERM, 1 if a service ended by itself or never came up; its log is named then.
    """
    root = root.resolve()
    with _sigterm_as_interrupt(), contextlib.ExitStack() as stack:
        try:
            services = _start_all(root, stack)
            return _watch(services)
        except KeyboardInterrupt:
            print("stopping", flush=True)
            # Ctrl-C again while children shut down would leave some behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return 0


def _start_all(root: Path, stack: contextlib.ExitStack) -> list[Service]:
    print("starting S3, MLflow and Dagster ...", flush=True)
    if s3.status(root) is None:
        stack.callback(s3.stop, root)
    server = s3.start(root)
    environment = service_environment(root, server)
    services: list[Service] = []
    for launch in (_launch_mlflow, _launch_dagster):
        service = launch(root, environment)
        stack.callback(end_process, service.process.pid, signal_number=service.stop_signal)
        services.append(service)
    print(f"  S3       {server.endpoint}  (bucket {s3.BUCKET}, keys in .services/s3/credentials)", flush=True)
    for service in services:
        if not _wait_until_serving(service):
            return services
        print(f"  {service.name:8} {service.address}", flush=True)
    print("Ctrl-C stops all of them", flush=True)
    return services


def service_environment(root: Path, server: s3.S3Server) -> dict[str, str]:
    """Return the environment in which Dagster, and all it starts, finds this project's services."""
    home = dagster_home(root)
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "EDITFOUNDRY_ROOT": str(root),
        "MLFLOW_TRACKING_URI": default_tracking_uri(root),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "AWS_ENDPOINT_URL_S3": server.endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(s3.service_folder(root) / "credentials"),
        "PYTHONUNBUFFERED": "1",
    }


def dagster_home(root: Path) -> Path:
    """Create ``<root>/.dagster`` with a ``dagster.yaml`` on first use; a person's own is kept."""
    home = root / ".dagster"
    home.mkdir(exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        shutil.copyfile(root / "infra" / "dagster" / "dagster.yaml", settings)
    return home


def _launch_mlflow(root: Path, environment: dict[str, str]) -> Service:
    port = free_port(MLFLOW_PORT)
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", default_tracking_uri(root), "--default-artifact-root", (root / "mlruns").as_uri()]
    return _launch("MLflow", port, [*command, *stores], root, environment, signal.SIGTERM)


def _launch_dagster(root: Path, environment: dict[str, str]) -> Service:
    port = free_port(DAGSTER_PORT)
    command = [sys.executable, "-m", "dagster", "dev", "--host", LOOPBACK, "--port", str(port)]
    # Dagster's own processes end in order on an interrupt, as from a terminal.
    return _launch("Dagster", port, command, root, environment, signal.SIGINT)


def _launch(
    name: str, port: int, command: list[str], root: Path, environment: dict[str, str], stop_signal: int
) -> Service:
    logs = root / ".services" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{name.lower()}.log"
    with path.open("wb") as log:
        # A session of its own: a terminal's Ctrl-C reaches this process only, which then stops each child once.
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Service(name=name, port=port, process=process, log=path, stop_signal=stop_signal)


def _wait_until_serving(service: Service) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.process.poll() is None:
        if is_serving(service.port):
            return True
        time.sleep(0.3)
    return False


def _watch(services: list[Service]) -> int:
    while True:
        for service in services:
            if service.process.poll() is not None or not is_serving(service.port):
                print(f"{service.name} is not serving; {service.log} says why", file=sys.stderr, flush=True)
                return 1
        time.sleep(1.0)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
