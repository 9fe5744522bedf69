"""What DVC knows of the lineage: hashes in ``dvc.lock``, what has changed, and where its remote is."""

from __future__ import annotations

import configparser
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.tracking.dvc_record import NOT_PUSHED

REMOTE = "storage"
DVC_FILE = "dvc.yaml"
"""The file that DVC takes where none is named."""
CONNECT_SECONDS = 10.0
"""A remote that takes no connection for so long is away."""


@dataclass(frozen=True, kw_only=True)
class StageStatus:
    """How one stage stands against ``dvc.lock``."""

    stage: str
    changes: tuple[str, ...]
    """What differs, in DVC's words; empty when the stage is up to date."""

    @property
    def is_clean(self) -> bool:
        """Whether DVC would have nothing to do."""
        return not self.changes


def stage_status(root: Path, stage: str) -> StageStatus:
    """Ask DVC whether a stage's command, dependencies, parameters and outputs are as locked.

    Raises:
        BadInputError: DVC refuses, for instance because there is no such stage.
    """
    reported: dict[str, list[Any]] = json.loads(_dvc(root, "status", "--json", stage) or "{}")
    changes = tuple(_in_words(change) for listed in reported.values() for change in listed)
    return StageStatus(stage=stage, changes=changes)


def changed_stages(root: Path) -> list[str]:
    """Return the stages of the project's ``dvc.yaml`` that are not as ``dvc.lock`` has them; no other file's.

    Raises:
        BadInputError: DVC refuses.
    """
    reported: dict[str, list[Any]] = json.loads(_dvc(root, "status", "--json", DVC_FILE) or "{}")
    return sorted(reported)


def locked_hashes(root: Path, stage: str) -> dict[str, str]:
    """Return a stage's output path -> md5 as ``dvc.lock`` has them; empty where the stage was never committed.

    Args:
        root: the project's folder.
        stage: its name; of a stage in another file than the project's ``dvc.yaml``, ``FOLDER/dvc.yaml:NAME``.
    """
    import yaml

    file, _, name = stage.rpartition(":")
    lock = (root / (file or DVC_FILE)).with_suffix(".lock")
    if not lock.exists():
        return {}
    content = yaml.safe_load(lock.read_text()) or {}
    outputs = content.get("stages", {}).get(name, {}).get("outs", [])
    return {out["path"]: out["md5"] for out in outputs if "md5" in out}


def tracked_stages(root: Path, file: str = DVC_FILE) -> set[str]:
    """Return the stages of one of DVC's files; none where the folder is no DVC repository."""
    import yaml

    stages = root / file
    if not stages.is_file() or not (root / ".dvc").is_dir():
        return set()
    return set((yaml.safe_load(stages.read_text()) or {}).get("stages", {}))


def record_stage(root: Path, stage: str, *, push: bool = True) -> str:
    """Commit what a stage made, as if DVC had run it, and push it; wait for DVC's lock where another holds it.

    Nothing is lost or doubled where this fails half-way: the cache and the remote are addressed by content.

    Args:
        root: the project's folder.
        stage: as `locked_hashes` takes it.
        push: whether to push.

    Returns:
        The output's hash in ``dvc.lock``; of several outputs, all of them.

    Raises:
        BadInputError: DVC refuses to commit, for instance because an output is not there.
        UnavailableError: the commit is made, but the remote cannot be written to.
    """
    endpoint = remote_endpoint(root)
    answers = not push or endpoint is None or _answers(endpoint)
    options = ["--push"] if push and answers else []
    done = _run(root, "editfoundry.tracking.dvc_record", stage, *options)
    if done.returncode not in (0, NOT_PUSHED):
        raise BadInputError(f"dvc commit {stage}: {_reason(done.stderr)}")
    if done.returncode == NOT_PUSHED or not answers:
        reason = _reason(done.stderr) if answers else "it does not answer"
        raise UnavailableError(f"{stage} is committed, but cannot be pushed to {endpoint or 'the remote'}: {reason}")
    return ",".join(locked_hashes(root, stage).values())


def remote_endpoint(root: Path) -> str | None:
    """Return the S3 endpoint of the default remote: the local configuration's, else the shared one's."""
    for name in ("config.local", "config"):
        endpoint = _endpoint_in(root / ".dvc" / name)
        if endpoint:
            return endpoint
    return None


def set_local_endpoint(root: Path, endpoint: str) -> None:
    """Point DVC's remote of this clone at another loopback endpoint; a remote elsewhere is left alone."""
    current = remote_endpoint(root)
    if current and current != endpoint and current.startswith("http://127.0.0.1:"):
        _dvc(root, "remote", "modify", "--local", REMOTE, "endpointurl", endpoint)


def _endpoint_in(config: Path) -> str | None:
    parser = configparser.ConfigParser(interpolation=None)
    # DVC indents its options; configparser would take an indented line for a continuation.
    lines = config.read_text().splitlines() if config.exists() else []
    parser.read_string("\n".join(line.strip() for line in lines))
    return parser.get(f"'remote \"{REMOTE}\"'", "endpointurl", fallback=None)


def _in_words(change: Any) -> str:
    return change if isinstance(change, str) else json.dumps(change, sort_keys=True)


def _dvc(root: Path, *arguments: str) -> str:
    done = _run(root, "dvc", "--wait-for-lock", *arguments)
    if done.returncode != 0:
        raise BadInputError(f"dvc {' '.join(arguments)}: {_reason(done.stderr)}")
    return done.stdout


def _run(root: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def _reason(stderr: str) -> str:
    """Return DVC's own words: its first line that is an error, else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no message"]
    return next((line for line in lines if line.startswith("ERROR")), lines[-1])


def _answers(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
