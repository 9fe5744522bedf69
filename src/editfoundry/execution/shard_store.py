"""How a stage's shard lies on the disk: triplets in a tar with an index, or rows in a Parquet table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from editfoundry.data.index import REQUIRED_COLUMNS
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow, count_by_reason, read_rejections, write_rejections
from editfoundry.data.shards import is_done, reused_result, write_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import (
    REJECTED_SUFFIX,
    column_names,
    count_rows,
    stored_metadata,
    table_is_done,
    write_rows,
)
from editfoundry.errors import BadInputError

Row = TypeVar("Row")
Written = TypeVar("Written", contravariant=True)

SUFFIXES = (".tar", ".parquet", ".jsonl")
"""Of shards, their indexes and rejections, and their journals."""


@dataclass
class ShardNotes:
    """What `ShardStage.process` notes beside the records."""

    rejected: list[RejectedRow] = field(default_factory=list)
    totals: dict[str, float] = field(default_factory=dict)
    """Sums worth reporting, such as tokens."""
    num_derived: int = 0
    """Records made beyond one for each record of the input."""
    tell: Callable[[int], None] = lambda done: None
    """Called with the records of this shard that are done; of a stage that yields its records this is known."""


class ShardStore(Protocol[Written]):
    """Writes shards, each whole or not at all with its rejections beside it, and tells what is there."""

    def path(self, output: Path, name: str) -> Path:
        """Return where a shard lies."""

    def is_done(self, path: Path, digest: str) -> bool:
        """Return whether the shard is there, made from inputs and parameters with this hash."""

    def stored(self, path: Path) -> StageResult:
        """Return the counts of a shard that is there."""

    def write(self, path: Path, records: Iterable[Written], notes: ShardNotes, digest: str) -> StageResult:
        """Write a shard and return its counts; ``notes`` are complete when the last record is out."""

    def fits(self, folder: Path) -> bool:
        """Return whether what lies in a folder can be shards of this kind."""


@dataclass(frozen=True)
class TripletStore:
    """Triplets, streamed into a tar."""

    def path(self, output: Path, name: str) -> Path:
        """Return where a shard lies."""
        return output / f"{name}.tar"

    def is_done(self, path: Path, digest: str) -> bool:
        """Return whether tar and index are there and fit each other."""
        return is_done(path, digest)

    def stored(self, path: Path) -> StageResult:
        """Return the counts of a shard that is there."""
        return reused_result(path)

    def write(self, path: Path, records: Iterable[Triplet], notes: ShardNotes, digest: str) -> StageResult:
        """Write the tar, then the rejections, and the index last."""
        result = write_triplets(path, records, notes.rejected, digest, lambda: notes.num_derived)
        return replace(result, totals=notes.totals)

    def fits(self, folder: Path) -> bool:
        """Return whether a folder holds tars with indexes of triplets."""
        return _fits(folder, REQUIRED_COLUMNS)


@dataclass(frozen=True)
class RowStore(Generic[Row]):
    """Rows of one dataclass in a Parquet table."""

    row: type[Row]
    with_counts: bool = False
    """Whether the table says how many records were rejected and how many derived."""

    def path(self, output: Path, name: str) -> Path:
        """Return where a shard lies."""
        return output / f"{name}.parquet"

    def is_done(self, path: Path, digest: str) -> bool:
        """Return whether the table is there."""
        return table_is_done(path, digest)

    def stored(self, path: Path) -> StageResult:
        """Return the counts and totals of a shard that is there."""
        counts, kept, facts = count_by_reason(read_rejections(path)), count_rows(path), stored_metadata(path)
        num_derived = int(facts.get("num_derived", "0"))
        return StageResult(
            num_in=kept + sum(counts.values()) - num_derived,
            num_out=kept,
            rejected=counts,
            num_shards_reused=1,
            num_derived=num_derived,
            totals=json.loads(facts.get("totals", "{}")),
        )

    def write(self, path: Path, records: Iterable[Row], notes: ShardNotes, digest: str) -> StageResult:
        """Write the rejections and then the table: once that is there, the shard is complete."""
        rows = list(records)
        counts = write_rejections(path, notes.rejected)
        facts = {"totals": json.dumps(notes.totals, sort_keys=True)} if notes.totals else {}
        if self.with_counts:
            facts |= {"num_rejected": str(len(notes.rejected)), "num_derived": str(notes.num_derived)}
        write_rows(path, rows, self.row, digest, facts)
        return StageResult(
            num_in=len(rows) + len(notes.rejected) - notes.num_derived,
            num_out=len(rows),
            rejected=counts,
            num_derived=notes.num_derived,
            totals=notes.totals,
        )

    def fits(self, folder: Path) -> bool:
        """Return whether a folder holds tables with the columns of the dataclass."""
        return _fits(folder, [column.name for column in fields(self.row)])  # type: ignore[arg-type]


def _fits(folder: Path, columns: Iterable[str]) -> bool:
    shown = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    tables = [path for path in shown if path.suffix == ".parquet" and not path.name.endswith(REJECTED_SUFFIX)]
    try:
        return all(path.suffix in SUFFIXES for path in shown) and all(
            set(columns) <= set(column_names(path)) for path in tables
        )
    except BadInputError:
        return False
