"""Turns a LAION-schema table into shards of captions (InstructPix2Pix, section 3.1: what its text stage reads)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import input_of
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError, Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.sources.columns import parse_row, printable, resolve_columns, values_by_role
from editfoundry.sources.laion_filters import LaionFilters, SeenRows, check_row, check_score_columns
from editfoundry.sources.row_ranges import RowRange, num_table_rows, row_ranges
from editfoundry.sources.table_reader import TableRow, missing_column, read_table_rows, table_columns, table_files

STAGE = "captions"
_NUMBERED = re.compile(r"\d{5,}")


@dataclass(frozen=True)
class LaionStage(ShardStage[RowRange, None, Caption]):
    """Captions of so many rows of a table a shard; of equal captions the first one kept wins."""

    source: Path
    """The table."""
    filters: LaionFilters
    rows_per_shard: int
    limit: int | None = None
    seen: SeenRows = field(default_factory=SeenRows)

    name: ClassVar[str] = STAGE
    store: ClassVar[RowStore[Caption]] = RowStore(Caption)
    sequential: ClassVar[bool] = True

    @cached_property
    def _files(self) -> list[Path]:
        return table_files(self.source)

    @cached_property
    def _table_digest(self) -> str:
        hashes = [(path.name, file_hash(path)) for path in self._files]
        return input_hash("laion", hashes, self.filters, self.rows_per_shard)

    def _rows(self) -> Iterator[TableRow]:
        return islice(chain.from_iterable(read_table_rows(path) for path in self._files), self.limit)

    def shards(self) -> Iterator[Shard[RowRange]]:
        """Read the table, a shard's rows at a time."""
        check_table(self.source, self._files, self.filters)
        for number, part in enumerate(row_ranges(self._rows, self.rows_per_shard)):
            yield Shard(f"{number:05d}", part, self.rows_per_shard)

    def num_in(self, shard: Shard[RowRange]) -> int:
        """Return the number of a shard's rows; the last shard may have fewer than the others."""
        return shard.source.count()

    def num_records(self) -> int | None:
        """Return the number of the table's rows, where they are counted without reading them."""
        return num_table_rows(self._files, self.limit)

    def digest(self, shard: Shard[RowRange], target: Path) -> str:
        """Hash the table, the filters and the range of rows."""
        start = int(shard.name) * self.rows_per_shard
        stop = start + self.rows_per_shard
        return input_hash(self._table_digest, start, stop if self.limit is None else min(stop, self.limit))

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[RowRange], target: Path, notes: ShardNotes) -> Iterator[Caption]:
        """Yield what the filters keep and no row before had."""
        return kept_captions(shard.source, self.filters, self.seen, notes)

    def recall(self, shard: Shard[RowRange], target: Path) -> None:
        """Remember the captions of a shard that is there."""
        for caption in read_rows(target, Caption):
            self.seen.add(caption)

    def made_of(self, output: Path) -> str:
        """Return the table."""
        return input_of(self.source, output)

    def owns(self, name: str) -> bool:
        """Return whether the shard is numbered; those with names are of tables that arrived one by one."""
        return _NUMBERED.fullmatch(name) is not None


def convert_laion(
    table: Path,
    output: Path,
    filters: LaionFilters | None = None,
    rows_per_shard: int = 100_000,
    limit: int | None = None,
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Write a table's usable captions to ``output/00000.parquet``, ..., and the rest beside them with reasons.

    Each shard holds what is kept of ``rows_per_shard`` rows of the table, so a shard depends on the table and the
    parameters alone. One that is there already is reused, and its captions count as seen for the shards after it.
    Of rows with the same caption or URL the first one kept wins. Dropped rows are in ``00000.rejected.parquet``, each
    with its file and row number.

    Args:
        table: Parquet, CSV, TSV or JSONL file (text also as .gz), or a folder of Parquet parts.
        output: Folder; made if absent.
        filters: What a row must be like; default ``LaionFilters()``.
        rows_per_shard: Rows read for each shard.
        limit: Read at most so many rows; None for all.
        progress: called with rows done and rows in all, of Parquet tables.
        only: a shard to make alone; those before it must be there.
        replace: whether captions of another table may be replaced.

    Raises:
        BadInputError: no such table, unknown suffix, no caption column, no rows, damaged file, a score that a filter
            needs has no column, no row is kept, or ``output`` holds something else.
    """
    filters = filters or LaionFilters()
    if rows_per_shard < 1 or (limit is not None and limit < 1):
        raise BadInputError(f"rows_per_shard ({rows_per_shard}) and limit ({limit}) must be at least 1")
    stage = LaionStage(Path(table), filters, rows_per_shard, limit)
    made = run_stage(stage, Path(output), only=only, progress=progress, replace=replace)
    return made if only is not None else require_something_kept(made, table)


def kept_captions(
    rows: Iterable[TableRow], filters: LaionFilters, seen: SeenRows, notes: ShardNotes
) -> Iterator[Caption]:
    """Yield the captions of the rows that the filters keep and that were not seen; note the others as rejected."""
    for row in rows:
        try:
            caption = _keep(row, filters, seen)
        except Rejection as rejection:
            notes.rejected.append(_rejected_row(row, rejection))
            continue
        yield caption


def _keep(row: TableRow, filters: LaionFilters, seen: SeenRows) -> Caption:
    if row.problem:
        raise Rejection("unreadable row", row.problem)
    parsed = parse_row(row.values)
    check_row(parsed, filters)
    seen.take(parsed.caption)
    return parsed.caption


def _rejected_row(row: TableRow, rejection: Rejection) -> RejectedRow:
    fields = {role: printable(value) for role, value in values_by_role(row.values).items()}
    place = {"table": printable(row.table), "row_number": row.number}
    return RejectedRow(
        f"{place['table']}:{row.number}", rejection.reason, str(printable(rejection.detail)), {**place, **fields}
    )


def check_table(table: Path, files: list[Path], filters: LaionFilters) -> None:
    """Check that a table has rows and the columns that captions and filters need.

    Raises:
        BadInputError: see `convert_laion`.
    """
    roles: set[str] = set()
    for path in files:
        names = table_columns(path)
        found = resolve_columns(tuple(names))
        if names and "caption" not in found:
            raise missing_column(path, names, "caption column (TEXT, caption, ...)")
        roles.update(found)
    if next(_first_rows(files), None) is None:
        raise BadInputError(f"{table}: has no rows")
    check_score_columns(table, names, roles, filters)


def _first_rows(files: list[Path]) -> Iterator[TableRow]:
    for path in files:
        yield from islice(read_table_rows(path), 1)
