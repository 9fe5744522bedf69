"""Turns a LAION-schema table into shards of captions (InstructPix2Pix, section 3.1: what its text stage reads)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import Caption
from editfoundry.data.rejections import (
    RejectedRow,
    count_by_reason,
    read_rejections,
    rejections_path,
    write_rejections,
)
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.tables import read_rows, table_is_done, write_rows
from editfoundry.errors import BadInputError, Rejection
from editfoundry.sources.columns import parse_row, printable, resolve_columns, values_by_role
from editfoundry.sources.filters import LaionFilters, SeenRows, check_row, check_score_columns
from editfoundry.sources.table_reader import TableRow, read_table_rows, table_columns, table_files

STAGE = "captions"
_SHARD_NAME = re.compile(r"(\d{5,})(\.rejected)?\.parquet")


@dataclass(frozen=True)
class _Shard:
    path: Path
    input_hash: str


class _RejectionsLostError(Exception):
    """A finished shard and its rejections no longer add up to the rows it was made of."""


def convert_laion(
    table: Path,
    output: Path,
    filters: LaionFilters | None = None,
    rows_per_shard: int = 100_000,
    limit: int | None = None,
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

    Raises:
        BadInputError: no such table, unknown suffix, no caption column, no rows, damaged file, a score that a filter
            needs has no column, no row is kept, or ``output`` holds something else.
    """
    filters = filters or LaionFilters()
    if rows_per_shard < 1 or (limit is not None and limit < 1):
        raise BadInputError(f"rows_per_shard ({rows_per_shard}) and limit ({limit}) must be at least 1")
    table, output = Path(table), Path(output)
    files = table_files(table)
    _check_table(table, files, filters)
    claim_output(output, STAGE)
    source = input_hash("laion", [(path.name, file_hash(path)) for path in files], filters, rows_per_shard)
    while True:
        try:
            return require_something_kept(_convert(files, output, source, filters, rows_per_shard, limit), table)
        except _RejectionsLostError:
            continue


def convert_one_shard(table: Path, shard: Path, filters: LaionFilters, digest: str) -> StageResult:
    """Clean a whole table into one shard, by itself: rows count as seen within this table alone.

    Args:
        table: as `convert_laion` takes it.
        shard: the Parquet file to write; one that was made with the same ``digest`` is reused.
        filters: what a row must be like.
        digest: hash of the table and of everything else that shapes the shard.

    Raises:
        BadInputError: see `convert_laion`.
    """
    files = table_files(table)
    _check_table(table, files, filters)
    while True:
        make = _reuse_shard if table_is_done(shard, digest) else _write_shard
        rows = chain.from_iterable(read_table_rows(path) for path in files)
        try:
            return require_something_kept(make(_Shard(shard, digest), rows, filters, SeenRows()), table)
        except _RejectionsLostError:
            continue


def _convert(
    files: list[Path], output: Path, source: str, filters: LaionFilters, rows_per_shard: int, limit: int | None
) -> StageResult:
    rows = islice(chain.from_iterable(read_table_rows(path) for path in files), limit)
    seen = SeenRows()
    results: list[StageResult] = []
    for number in count():
        first = next(rows, None)
        if first is None:
            break
        start = number * rows_per_shard
        stop = start + rows_per_shard if limit is None else min(start + rows_per_shard, limit)
        shard = _Shard(output / f"{number:05d}.parquet", input_hash(source, start, stop))
        shard_rows = chain([first], islice(rows, rows_per_shard - 1))
        make = _reuse_shard if table_is_done(shard.path, shard.input_hash) else _write_shard
        results.append(make(shard, shard_rows, filters, seen))
    _remove_shards_from(output, len(results))
    return add_up(results)


def _write_shard(shard: _Shard, rows: Iterable[TableRow], filters: LaionFilters, seen: SeenRows) -> StageResult:
    kept: list[Caption] = []
    rejected: list[RejectedRow] = []
    for row in rows:
        try:
            kept.append(_keep(row, filters, seen))
        except Rejection as rejection:
            rejected.append(_rejected_row(row, rejection))
    # The shard comes last: once it is there, it is done.
    counts = write_rejections(rejections_path(shard.path), rejected)
    write_rows(shard.path, kept, Caption, shard.input_hash)
    return StageResult(num_in=len(kept) + len(rejected), num_out=len(kept), rejected=counts)


def _reuse_shard(shard: _Shard, rows: Iterable[TableRow], filters: LaionFilters, seen: SeenRows) -> StageResult:
    num_kept = 0
    for caption in read_rows(shard.path, Caption):
        seen.add(caption)
        num_kept += 1
    counts = count_by_reason(read_rejections(rejections_path(shard.path)))
    num_rows = sum(1 for _ in rows)
    if num_kept + sum(counts.values()) != num_rows:
        shard.path.unlink()
        raise _RejectionsLostError
    return StageResult(num_in=num_rows, num_out=num_kept, rejected=counts, num_shards_reused=1)


def _keep(row: TableRow, filters: LaionFilters, seen: SeenRows) -> Caption:
    if row.problem:
        raise Rejection("unreadable row", row.problem)
    parsed = parse_row(row.values)
    check_row(parsed, filters)
    seen.check(parsed.caption)
    seen.add(parsed.caption)
    return parsed.caption


def _rejected_row(row: TableRow, rejection: Rejection) -> RejectedRow:
    fields = {role: printable(value) for role, value in values_by_role(row.values).items()}
    place = {"table": printable(row.table), "row_number": row.number}
    return RejectedRow(
        f"{place['table']}:{row.number}", rejection.reason, str(printable(rejection.detail)), {**place, **fields}
    )


def _check_table(table: Path, files: list[Path], filters: LaionFilters) -> None:
    roles: set[str] = set()
    for path in files:
        names = table_columns(path)
        found = resolve_columns(tuple(names))
        if names and "caption" not in found:
            raise BadInputError(f"{path}: no caption column (TEXT, caption, ...); its columns are {_listed(names)}")
        roles.update(found)
    if next(_first_rows(files), None) is None:
        raise BadInputError(f"{table}: has no rows")
    check_score_columns(table, names, roles, filters)


def _first_rows(files: list[Path]) -> Iterator[TableRow]:
    for path in files:
        yield from islice(read_table_rows(path), 1)


def _listed(names: list[str]) -> str:
    shown = ", ".join(str(printable(name, 40)) for name in names[:20])
    return " ".join(shown.split()) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _remove_shards_from(output: Path, num_shards: int) -> None:
    """Remove what an earlier run with other parameters left beyond this run's last shard."""
    for path in output.iterdir():
        match = _SHARD_NAME.fullmatch(path.name)
        if match and int(match[1]) >= num_shards:
            path.unlink()
