import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from editfoundry.tracking import s3
from editfoundry.tracking.service_environment import dagster_home

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]
PYPROJECT = """\
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "toy"
"""
DEFINITIONS = """\
import dagster as dg

@dg.asset
def toy_asset() -> None: ...

defs = dg.Definitions(assets=[toy_asset])
"""
START = "import sys; from pathlib import Path; from editfoundry.tracking.ui import run_ui; sys.exit(run_ui(Path.cwd()))"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "toy" / "__init__.py").touch()
    (tmp_path / "infra" / "dagster").mkdir(parents=True)
    shutil.copyfile(REPOSITORY / "infra/dagster/dagster.yaml", tmp_path / "infra/dagster/dagster.yaml")
    return tmp_path


def test_a_persons_own_dagster_settings_are_kept(project):
    assert "telemetry" in (dagster_home(project) / "dagster.yaml").read_text()
    (project / ".dagster" / "dagster.yaml").write_text("# mine\n")
    assert (dagster_home(project) / "dagster.yaml").read_text() == "# mine\n"


def test_all_services_come_up_beside_ports_in_use_and_end_without_a_trace(project):
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{project}"}
    with occupied(3000, 5000, 8080, 8333), start(project, environment) as workbench:
        addresses = dict(read_addresses(workbench))
        family = psutil.Process(workbench.pid).children(recursive=True)
        assert set(addresses) == {"S3", "MLflow", "Reports", "Dagster"}
        assert not any(address.endswith((":3000", ":5000", ":8080", ":8333")) for address in addresses.values())
        (project / "reports" / "page.html").write_text("<p>seen</p>")
        assert urllib.request.urlopen(f"{addresses['Reports']}/page.html", timeout=30).read() == b"<p>seen</p>"
        for name in ("MLflow", "Dagster"):
            assert urllib.request.urlopen(addresses[name], timeout=30).status == 200
        second = subprocess.run(
            [sys.executable, "-c", START], cwd=project, env=environment, capture_output=True, text=True, check=True
        )
        assert second.stdout.startswith("running already:") and addresses["Dagster"] in second.stdout
        settings = (project / ".services" / "environment").read_text()
        assert f"AWS_ENDPOINT_URL_S3={addresses['S3']}" in settings and "SECRET" not in settings
        workbench.send_signal(signal.SIGTERM)
        assert workbench.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert s3.status(project) is None
    assert not (project / ".services" / "addresses").exists()


@contextlib.contextmanager
def start(project, environment):
    process = subprocess.Popen(
        [sys.executable, "-c", START], cwd=project, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        # A check that fails would wait for it for ever.
        process.terminate()
        process.communicate(timeout=60)


@contextlib.contextmanager
def occupied(*ports):
    """Hold the ports; one that somebody else has is in use already, as wanted."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def read_addresses(workbench):
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        line = workbench.stdout.readline()
        if found := re.match(r"\s+(\w+)\s+(http://\S+)", line):
            yield found.groups()
        if "Ctrl-C" in line or not line:
            return
