"""Rows of Parquet, CSV, TSV and JSONL tables, streamed, each with its number; a row that is broken is told apart."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from editfoundry.data.csv_table import csv_table
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.untrusted import check_plain, check_utf8
from editfoundry.errors import BadInputError, one_line
from editfoundry.sources.columns import printable, resolve_columns

PARQUET_SUFFIXES = (".parquet", ".pq")
TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
SUPPORTED = "Parquet (.parquet, .pq, or a folder of them), CSV, TSV, JSONL (.jsonl, .ndjson; text also as .gz)"
BATCH_ROWS = 256
"""Rows of a Parquet table that are decoded at once; a small dictionary can make each of them long."""
MAX_CELL_BYTES = 2**20
"""A longer cell is not that of a caption table."""
MAX_LINE_CHARS = 16 * 2**20
"""A longer line is not that of a caption table, and would not fit into memory."""
MAX_BLANK_LINES = 100_000
"""More of them in a row are no table, however few bytes they were packed into."""
MAX_PACKING = 200
"""Bytes that one byte of a .gz file may become, on average from its first ``_UNPACKED_FREELY`` bytes on; gzip reaches
1,000 for text that repeats itself, of which a table has no use, and about 10 for captions."""
_UNPACKED_FREELY = 8 * 2**20
_LINES_PER_CHECK = 1000
ResolveColumns = Callable[[tuple[str, ...]], dict[str, str]]
"""Gives role -> the column that plays it, of a table's column names."""
PEEK_ROWS = 1024
"""Of a JSONL table, whose rows each name their own columns, so many are looked at to learn the columns."""


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row as it is in its file."""

    table: str
    """Name of the file."""
    number: int
    """From 1: of the row after the header; in JSONL, of the line."""
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why the row could not be read; then there are no values."""


def table_files(table: Path) -> list[Path]:
    """Return the files of a table: itself, or a folder's Parquet parts sorted by name.

    Raises:
        BadInputError: nothing there, no Parquet part in the folder, or an unknown suffix.
    """
    if table.is_dir():
        parts = sorted(p for p in table.iterdir() if p.suffix.lower() in PARQUET_SUFFIXES and p.name[0] not in "._")
        if not parts:
            raise BadInputError(f"{table}: no .parquet part in this folder; give a folder of parts or one table")
        return parts
    if not table.is_file():
        raise BadInputError(f"{table}: no such table")
    if _kind(table) not in PARQUET_SUFFIXES + TEXT_SUFFIXES:
        raise BadInputError(f"{table}: unknown suffix; readable are {SUPPORTED}")
    return [table]


def table_columns(path: Path) -> list[str]:
    """Return the names of a file's columns, in order.

    Raises:
        BadInputError: the file cannot be read, or not one of the first JSONL lines is an object.
    """
    with _readable(path):
        if _kind(path) in PARQUET_SUFFIXES:
            with pq.ParquetFile(path) as file:
                return list(file.schema_arrow.names)
        if _kind(path) in (".csv", ".tsv"):
            with _open_text(path) as text:
                return _csv_table(text, path)[0]
    first = list(islice(_jsonl_rows(path), PEEK_ROWS))
    if first and not any(row.values for row in first):
        with _readable(path), _open_text(path) as text:
            check_utf8(text.readline(MAX_LINE_CHARS), path)
        raise BadInputError(f"{path}: not one of its first {len(first)} lines is a JSON object; is it JSONL?")
    return list(dict.fromkeys(name for row in first for name in row.values))


def missing_column(path: Path, names: Sequence[str], wanted: str) -> BadInputError:
    """Return the error of a table without the column ``wanted``, which says what columns it has.

    Raises:
        BadInputError: the names are not UTF-8, so that none could be found.
    """
    check_utf8("".join(names), path)
    shown = " ".join(", ".join(str(printable(name, 40)) for name in names[:20]).split())
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return BadInputError(f"{path}: no {wanted}; its columns are {shown}{more}")


def read_table_rows(path: Path, resolve: ResolveColumns = resolve_columns) -> Iterator[TableRow]:
    """Yield a file's rows in order, with the columns that ``resolve`` knows; memory does not grow with them.

    Text values come as ``str``, or as UTF-8 ``bytes`` from Parquet, where a damaged one must not spoil its batch.

    Raises:
        BadInputError: the file as a whole is damaged from here on.
    """
    kind = _kind(path)
    if kind in PARQUET_SUFFIXES:
        yield from _parquet_rows(path, resolve)
    elif kind in (".csv", ".tsv"):
        yield from _csv_rows(path, resolve)
    else:
        yield from _jsonl_rows(path)


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_packed_text = len(suffixes) == 2 and suffixes[1] == ".gz" and suffixes[0] in TEXT_SUFFIXES
    return suffixes[0] if is_packed_text else path.suffix.lower()


def _parquet_rows(path: Path, resolve: ResolveColumns) -> Iterator[TableRow]:
    with _readable(path), pq.ParquetFile(path) as file:
        columns = list(resolve(tuple(file.schema_arrow.names)).values())
        number = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            undecoded = [_undecoded(column) for column in batch.columns]
            _check_cells(undecoded, path, number)
            lists = [column.to_pylist() for column in undecoded]
            for values in zip(*lists, strict=True):
                number += 1
                yield TableRow(
                    table=path.name, number=number, values=dict(zip(batch.schema.names, values, strict=True))
                )


def _check_cells(columns: list[pa.Array], path: Path, num_before: int) -> None:
    for column in columns:
        if pa.types.is_large_binary(column.type) or pa.types.is_binary(column.type):
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > MAX_CELL_BYTES:
                raise BadInputError(
                    f"{path}: after row {num_before} a cell has {longest} bytes, more than {MAX_CELL_BYTES}; is it a "
                    "table of captions?"
                )


def _undecoded(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        if pa.types.is_string(column.type.value_type):
            # Decoded, the values of a batch must not overflow 32-bit offsets.
            column = pa.DictionaryArray.from_arrays(column.indices, column.dictionary.cast(pa.large_binary()))
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.large_binary())
    return column


def _csv_rows(path: Path, resolve: ResolveColumns) -> Iterator[TableRow]:
    with _readable(path), _open_text(path) as text:
        header, records = _csv_table(text, path)
        known = set(resolve(tuple(header)).values())
        for number, record in enumerate(records, start=1):
            if isinstance(record, str):
                yield TableRow(table=path.name, number=number, problem=record)
            elif len(record) != len(header):
                problem = f"{len(record)} fields, {len(header)} in the header"
                yield TableRow(table=path.name, number=number, problem=problem)
            else:
                values = {name: value for name, value in zip(header, record, strict=True) if name in known}
                yield TableRow(table=path.name, number=number, values=values)


def _csv_table(text: TextIO, path: Path) -> tuple[list[str], Iterator[list[str] | str]]:
    return csv_table(_lines(text, path), path, "\t" if _kind(path) == ".tsv" else ",")


def _jsonl_rows(path: Path) -> Iterator[TableRow]:
    with _readable(path), _open_text(path) as text:
        for number, line in enumerate(_lines(text, path), start=1):
            if line.strip():
                yield _json_row(path.name, number, line)


def _json_row(table: str, number: int, line: str) -> TableRow:
    try:
        values = json.loads(line)
        # Text that is not Unicode spoils a caption and not the row; what holds other values has bounds.
        if isinstance(values, dict):
            for value in values.values():
                if isinstance(value, (dict, list)):
                    check_plain(value)
    except (ValueError, RecursionError) as error:
        return TableRow(table=table, number=number, problem=f"not JSON ({error})")
    if not isinstance(values, dict):
        return TableRow(table=table, number=number, problem=f"a JSON {type(values).__name__}, not an object")
    return TableRow(table=table, number=number, values=values)


def _open_text(path: Path) -> TextIO:
    # Bytes that are not UTF-8 become lone surrogates, which the row's parser finds: one bad row, not a bad file.
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _check_packing(text: TextIO, path: Path, num_chars: int) -> None:
    unpacked = text.buffer
    if isinstance(unpacked, gzip.GzipFile) and num_chars > _UNPACKED_FREELY:
        packed = unpacked.fileobj.tell() if unpacked.fileobj is not None else num_chars
        if num_chars > MAX_PACKING * packed:
            raise BadInputError(f"{path}: {packed} bytes unpack to more than {num_chars}; is it a table?")


def _lines(text: TextIO, path: Path) -> Iterator[str]:
    number = num_blank = num_chars = 0
    while line := text.readline(MAX_LINE_CHARS):
        number += 1
        num_chars += len(line)
        num_blank = num_blank + 1 if line.isspace() else 0
        if num_blank > MAX_BLANK_LINES:
            raise BadInputError(f"{path}: more than {MAX_BLANK_LINES} blank lines end at line {number}; is it a table?")
        if number % _LINES_PER_CHECK == 0:
            _check_packing(text, path, num_chars)
        if len(line) == MAX_LINE_CHARS:
            raise BadInputError(
                f"{path}: line {number} is longer than {MAX_LINE_CHARS} characters; is it a text table?"
            )
        yield line


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except BadInputError:
        raise
    except (*PARQUET_ERRORS, EOFError, zlib.error, ValueError) as error:
        cause = one_line(error)
        raise BadInputError(f"{path}: truncated or damaged table ({cause}); fetch it again") from error
