"""Curation's first pass: looks at every triplet alone, so that the second, which compares them, reads few pictures.

A shard of it holds what the second pass needs of the triplets that may be kept, and the others with their reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.perceptual_hash import perceptual_hash
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path
from editfoundry.data.record import Triplet, short_hash
from editfoundry.data.rejections import RejectedRow, read_rejections
from editfoundry.data.shards import count_triplets, read_fields
from editfoundry.data.tables import read_rows
from editfoundry.errors import Rejection
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes

Look = Callable[[Path, Mapping[str, Any], CurationConfig], Triplet]
"""Reads the triplet at a row of a shard's index, or raises Rejection."""


@dataclass(frozen=True)
class LookedAt:
    """A triplet that may be kept, as far as it can be told without the others."""

    row_number: int
    """Of the shard's index, from 0."""
    picture: str
    """Hash of the input picture's pixels."""
    input_hash: str
    """Perceptual hash of the input picture, 16 hex digits."""
    output_hash: str
    """Of the output picture."""

    @property
    def hashes(self) -> tuple[int, int]:
        """Both perceptual hashes, 64 bits each."""
        return int(self.input_hash, 16), int(self.output_hash, 16)


@dataclass(frozen=True)
class FirstPass(ShardStage[Path, None, LookedAt]):
    """A table of looked-at triplets for each shard of triplets, numbered in their order."""

    triplets: tuple[Path, ...]
    """Shards, of one or several folders."""
    config: CurationConfig
    look: Look
    source: None = None

    name: ClassVar[str] = "dataset, first pass"
    store: ClassVar[RowStore[LookedAt]] = RowStore(LookedAt)

    def shards(self) -> list[Shard[Path]]:
        """Number the shards of triplets."""
        return [Shard(f"{n:05d}", path, count_triplets(path)) for n, path in enumerate(self.triplets)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the triplets' index and the parameters."""
        return input_hash(self.name, index_path(shard.source), self.config)

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[LookedAt]:
        """Yield what may be kept."""
        for number, row in enumerate(read_fields(shard.source)):
            try:
                triplet = self.look(shard.source, row, self.config)
            except Rejection as error:
                notes.rejected.append(RejectedRow(row["id"], error.reason, error.detail, {"row_number": number}))
                continue
            yield LookedAt(
                row_number=number,
                picture=short_hash(triplet.input_image.tobytes()),
                input_hash=f"{perceptual_hash(triplet.input_image):016x}",
                output_hash=f"{perceptual_hash(triplet.output_image):016x}",
            )


def read_first_pass(folder: Path, number: int) -> dict[int, LookedAt | Rejection]:
    """Return what the pass found of one shard: row number -> the triplet, or why it is dropped."""
    table = FirstPass.store.path(folder, f"{number:05d}")
    found: dict[int, LookedAt | Rejection] = {one.row_number: one for one in read_rows(table, LookedAt)}
    for dropped in read_rejections(table):
        found[int(dropped.row["row_number"])] = Rejection(dropped.reason, dropped.detail)
    return found
