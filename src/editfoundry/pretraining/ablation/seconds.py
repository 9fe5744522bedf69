"""How long each shard took, remembered, so that an arm that was resumed or is there already still has its speed."""

from __future__ import annotations

import json
import time
from pathlib import Path

from editfoundry.data.index import index_path, shard_paths
from editfoundry.data.shards import count_triplets
from editfoundry.data.tables import stored_metadata
from editfoundry.evaluation.json_file import write_json


class ShardClock:
    """Times the shards of a folder while they are made in order."""

    def __init__(self, folder: Path, path: Path) -> None:
        """``path`` is the JSON file that remembers: shard -> its input hash and seconds."""
        self.folder, self.path = folder, path
        self._before = _hashes(folder)
        self._seconds: dict[str, tuple[str, float]] = {}
        if path.is_file():
            self._seconds = {name: (digest, float(value)) for name, (digest, value) in _read(path).items()}
        self._started = time.perf_counter()

    def shard_done(self, name: str) -> None:
        """Note a shard, unless it was there before."""
        now = time.perf_counter()
        digest = _hashes(self.folder)[name]
        if self._before.get(name) != digest:
            self._seconds[name] = (digest, now - self._started)
            write_json(self.path, self._seconds)
        self._started = now

    def seconds_per_triplet(self) -> float | None:
        """Return the mean over the shards whose time is known; None when none is, or nothing was made."""
        digests = _hashes(self.folder)
        timed = {name: seconds for name, (digest, seconds) in self._seconds.items() if digests.get(name) == digest}
        num_triplets = sum(count_triplets(self.folder / f"{name}.tar") for name in timed)
        return sum(timed.values()) / num_triplets if num_triplets else None


def _hashes(folder: Path) -> dict[str, str]:
    return {path.stem: stored_metadata(index_path(path)).get("input_hash", "") for path in shard_paths(folder)}


def _read(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(path.read_text())
    return found
