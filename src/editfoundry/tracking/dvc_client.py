"""What DVC knows of the lineage: hashes in ``dvc.lock``, what has changed, and where its remote is."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError

REMOTE = "storage"


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


def locked_hashes(root: Path, stage: str) -> dict[str, str]:
    """Return a stage's output path -> md5 as ``dvc.lock`` has them; empty where the stage was never committed."""
    import yaml

    lock = root / "dvc.lock"
    if not lock.exists():
        return {}
    content = yaml.safe_load(lock.read_text()) or {}
    outputs = content.get("stages", {}).get(stage, {}).get("outs", [])
    return {out["path"]: out["md5"] for out in outputs if "md5" in out}


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
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadInputError(f"dvc {' '.join(arguments)}: {last_line}")
    return done.stdout
