"""What to do about source data that has arrived: which shards to work on, and when to train again."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.s3_path import S3Path, list_folder
from editfoundry.sources.incoming import sort_arrived

SETTLE_SECONDS = 10.0
"""A table that changed later than this may still be being written."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What an earlier look has set off."""

    requested: Mapping[str, str] = field(default_factory=dict)
    """Source shard -> fingerprint of the table that was asked to be worked on."""
    retrained: str = ""
    """Hash of the fingerprints that a retraining was asked for."""

    @classmethod
    def from_text(cls, text: str | None) -> Seen:
        """Read what `to_text` wrote; nothing was seen where there is nothing."""
        return cls(**json.loads(text)) if text else cls()

    def to_text(self) -> str:
        """Return it as JSON."""
        return json.dumps({"requested": dict(self.requested), "retrained": self.retrained}, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do next."""

    work: Mapping[str, str]
    """Source shard -> fingerprint: new or changed, to be worked on now."""
    retrain: str
    """Hash that names the retraining that is due; empty where none is."""
    waiting: tuple[str, ...]
    """Source shards that a retraining waits for."""
    seen: Seen
    """To be kept for the next look."""


def plan_arrivals(
    tables: Mapping[str, str], seen: Seen, finished: Collection[str], num_running: int, failed: Collection[str] = ()
) -> Plan:
    """Decide from what is there, what was asked for and what is finished.

    One retraining takes in all shards that have arrived, once the last of them is worked on. It does not wait for
    those that were worked on in vain, a damaged table for instance, and it does not happen for them alone.

    Args:
        tables: source shard -> fingerprint of its table.
        seen: what earlier looks set off.
        finished: source shards that were worked on at least once.
        num_running: runs that work on source shards right now.
        failed: source shards of which the run over the table that lies there now has failed.
    """
    work = {name: mark for name, mark in tables.items() if seen.requested.get(name) != mark}
    usable = {name: mark for name, mark in tables.items() if name in work or name not in failed}
    waiting = tuple(sorted(name for name in usable if name in work or name not in finished))
    everything = input_hash(dict(sorted(usable.items()))) if usable else ""
    is_due = bool(usable) and not waiting and not num_running and everything != seen.retrained
    retrain = everything if is_due else ""
    later = Seen(requested={**seen.requested, **work}, retrained=retrain or seen.retrained)
    return Plan(work=work, retrain=retrain, waiting=waiting, seen=later)


def arrived_tables(folder: Path, address: str | None = None, settle_seconds: float = SETTLE_SECONDS) -> dict[str, str]:
    """Return source shard -> fingerprint of the tables in a folder and, if given, at an ``s3://bucket/prefix``.

    Files on the disk that changed a moment ago are left for the next look. What lies at both places is the bucket's.

    Raises:
        BadInputError: a table's name is no shard's name, or the bucket refuses.
        UnavailableError: the bucket does not answer.
    """
    marks = {
        name: _fingerprint(path)
        for name, path in sort_arrived(folder).tables.items()
        if _is_settled(path, settle_seconds)
    }
    return dict(sorted({**marks, **(_remote_marks(address) if address else {})}.items()))


def _is_settled(path: Path, settle_seconds: float) -> bool:
    return time.time() - path.stat().st_mtime >= settle_seconds


def _fingerprint(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} bytes at {found.st_mtime_ns}"


def _remote_marks(address: str) -> dict[str, str]:
    """Return source shard -> the ETag of its table, with one request for a thousand tables."""
    place = S3Path(address)
    tables = {path.name: name for name, path in sort_arrived(place).tables.items()}
    found = dict(list_folder(place))
    return {shard: found[file] for file, shard in tables.items() if file in found}
