"""The whole workbench on this machine: S3, MLflow, the reports and Dagster, started and stopped together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from editfoundry.data.untrusted import read_toml
from editfoundry.errors import BadInputError
from editfoundry.tracking import s3
from editfoundry.tracking.artifact_store import ENDPOINTS, has_own_endpoint
from editfoundry.tracking.mlflow_client import PAGE_VARIABLE as MLFLOW_PAGE_VARIABLE
from editfoundry.tracking.mlflow_client import default_tracking_uri, experiments_url
from editfoundry.tracking.moved_project import STORE_NAME, adopt_artifacts
from editfoundry.tracking.ports import LOOPBACK, is_serving
from editfoundry.tracking.report_pages import FOLDER as REPORTS_FOLDER
from editfoundry.tracking.report_pages import PAGE_VARIABLE as REPORTS_PAGE_VARIABLE
from editfoundry.tracking.service import Service, bring_up
from editfoundry.tracking.service_environment import service_environment, write_environment

MLFLOW = "MLflow"
MLFLOW_PORT = 5000
REPORTS = "Reports"
REPORTS_PORT = 8080
DAGSTER_PORT = 3000
PAGES = {MLFLOW: MLFLOW_PAGE_VARIABLE, REPORTS: REPORTS_PAGE_VARIABLE}
"""Service -> the variable of the environment that says where a browser finds it."""
DEFINITIONS = "dagster_project.definitions"
"""Served in a folder that names no definitions of its own."""


def run_ui(root: Path) -> int:
    """Serve S3, MLflow, reports and Dagster of a project until Ctrl-C or SIGTERM; print their addresses.

    Where they are served already, only their addresses are printed. Where the environment names an S3 server
    (``AWS_ENDPOINT_URL``), that one is used and none is started.

    Args:
        root: folder of the project; state goes to its ``.services``, ``.dagster``, ``mlflow.db`` and ``mlruns``.

    Returns:
        0 after Ctrl-C or SIGTERM, 1 if a service ended by itself or never came up; its log is named then.
    """
    root = root.resolve()
    addresses = root / ".services" / "addresses"
    with _lock(root) as is_first:
        if not is_first:
            print(f"running already:\n{addresses.read_text() if addresses.is_file() else '  still starting'}", end="")
            return 0
        try:
            return _serve(root, addresses)
        finally:
            addresses.unlink(missing_ok=True)


def _serve(root: Path, addresses: Path) -> int:
    with _sigterm_as_interrupt(), contextlib.ExitStack() as stack:
        try:
            services = _start_all(root, stack, addresses)
            return _watch(services)
        except KeyboardInterrupt:
            print("stopping", flush=True)
            # Ctrl-C again while children shut down would leave some behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return 0


def _start_all(root: Path, stack: contextlib.ExitStack, addresses: Path) -> list[Service]:
    print("starting S3, MLflow, reports and Dagster ...", flush=True)
    server = _start_s3(root, stack)
    environment = service_environment(root, server)
    lines = [_describe_s3(server)]
    print(lines[0], flush=True)
    services: list[Service] = []
    for start in (_start_mlflow, _start_reports, _start_dagster):
        service = start(root, environment, lambda launched: stack.callback(launched.stop))
        services.append(service)
        if not service.is_up():
            return services
        # Dagster, the last one, links to the pages of the others.
        if service.name in PAGES:
            environment.setdefault(PAGES[service.name], service.address)
        page = experiments_url(service.address) if service.name == MLFLOW else service.address
        lines.append(f"  {service.name:8} {page}")
        print(lines[-1], flush=True)
    addresses.write_text("\n".join(lines) + "\n")
    for_a_terminal = write_environment(root, environment)
    print(f"in another terminal: set -a; . {for_a_terminal.relative_to(root)}; set +a", flush=True)
    print("Ctrl-C stops all of them", flush=True)
    return services


def _start_s3(root: Path, stack: contextlib.ExitStack) -> s3.S3Server | None:
    if has_own_endpoint(root):
        return None
    if s3.status(root) is None:
        stack.callback(s3.stop, root)
    return s3.start(root)


def _describe_s3(server: s3.S3Server | None) -> str:
    if server is None:
        endpoint = next(value for value in map(os.environ.get, ENDPOINTS) if value)
        return f"  S3       {endpoint}  (yours, by the environment)"
    return f"  S3       {server.endpoint}  (bucket {s3.BUCKET}, keys in .services/s3/credentials)"


def _start_mlflow(root: Path, environment: dict[str, str], started: Callable[[Service], object]) -> Service:
    adopt_artifacts(root / STORE_NAME)

    def command(port: int) -> list[str]:
        artifacts = environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"]
        stores = ["--backend-store-uri", default_tracking_uri(root), "--default-artifact-root", artifacts]
        server = ["-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
        return [sys.executable, *server, *stores]

    return bring_up(
        MLFLOW, MLFLOW_PORT, command, root=root, environment=environment, stop_signal=signal.SIGTERM, started=started
    )


def _start_reports(root: Path, environment: dict[str, str], started: Callable[[Service], object]) -> Service:
    folder = root / REPORTS_FOLDER
    folder.mkdir(exist_ok=True)

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "http.server", str(port), "--bind", LOOPBACK, "--directory", str(folder)]

    return bring_up(
        REPORTS, REPORTS_PORT, command, root=root, environment=environment, stop_signal=signal.SIGTERM, started=started
    )


def _start_dagster(root: Path, environment: dict[str, str], started: Callable[[Service], object]) -> Service:
    def command(port: int) -> list[str]:
        module = [] if _names_definitions(root) else ["-m", DEFINITIONS]
        return [sys.executable, "-m", "dagster", "dev", "--host", LOOPBACK, "--port", str(port), *module]

    # Dagster's own processes end in order on an interrupt, as from a terminal.
    return bring_up(
        "Dagster", DAGSTER_PORT, command, root=root, environment=environment, stop_signal=signal.SIGINT, started=started
    )


def _names_definitions(root: Path) -> bool:
    """Return whether a folder tells Dagster itself where its definitions are, as a checkout does."""
    if any((root / name).is_file() for name in ("workspace.yaml", "dg.toml")):
        return True
    with contextlib.suppress(BadInputError):
        tools = read_toml(root / "pyproject.toml").get("tool", {})
        return "dg" in tools or "dagster" in tools
    return False


def _watch(services: list[Service]) -> int:
    while True:
        for service in services:
            if service.process.poll() is not None or not is_serving(service.port):
                print(f"{service.name} is not serving; {service.log} says why", file=sys.stderr, flush=True)
                return 1
        time.sleep(1.0)


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[bool]:
    """Yield whether nobody else serves this project now."""
    folder = root / ".services"
    folder.mkdir(exist_ok=True)
    with (folder / "ui.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


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
