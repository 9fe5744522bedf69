"""Writes shards of drawn edits with their true outcomes, on all cores."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.shards import is_done, write_triplets
from editfoundry.pretraining.parallel_drawing import each_on_a_core
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.true_triplet import true_triplet

TRIPLETS_PER_SHARD = 1_000


@dataclass(frozen=True, kw_only=True)
class DrawnTriplets:
    """Seeded edits by their numbers; see `write`."""

    name: str
    """Of this kind of edits, for the shards' hashes."""
    seed: int
    settings: tuple[float, ...]
    """What else shapes an edit."""
    draw: Callable[[int], Edit]
    """Edit of a number; one that other processes can import."""
    says: Callable[[Edit], str] | None = None
    """What a triplet's ``expressive_instruction`` says; none by default. Importable, too."""

    def write(self, folder: Path, count: int) -> None:
        """Write the first ``count`` edits; finished shards stay as they are. Of several processes one writes."""
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder, whose content is hashed.
        with folder.with_name(f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write_missing(folder, count)

    def _write_missing(self, folder: Path, count: int) -> None:
        spans = [range(start, min(start + TRIPLETS_PER_SHARD, count)) for start in range(0, count, TRIPLETS_PER_SHARD)]
        for _ in each_on_a_core(partial(self.write_shard, folder), spans):
            pass

    def write_shard(self, folder: Path, span: range) -> None:
        """Write the edits of some numbers as one shard, where that is not done."""
        tar = folder / f"{span.start // TRIPLETS_PER_SHARD:05}.tar"
        told = [] if self.says is None else [self.says.__name__]
        digest = input_hash(self.name, self.seed, span.start, span.stop, *self.settings, *told)
        if not is_done(tar, digest):
            write_triplets(tar, map(self._triplet, span), input_hash=digest)

    def _triplet(self, number: int) -> Triplet:
        edit = self.draw(number)
        triplet = true_triplet(edit)
        return triplet if self.says is None else replace(triplet, expressive_instruction=self.says(edit))
