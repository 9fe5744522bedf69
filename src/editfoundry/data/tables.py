"""Parquet tables of captions and quadruples: one file is one shard."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from editfoundry.data.atomic import atomic_file
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.storage import locate, parquet_source
from editfoundry.errors import BadInputError

Row = TypeVar("Row")

ROWS_PER_GROUP = 10_000
REJECTED_SUFFIX = ".rejected.parquet"
_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[str, ...]: pa.list_(pa.string()),
}


def write_rows(
    path: Path, rows: Iterable[Row], cls: type[Row], input_hash: str = "", metadata: Mapping[str, str] | None = None
) -> int:
    """Write dataclass instances to one Parquet file, atomically and deterministically; return how many.

    Fields may be ``str``, ``int``, ``float``, ``bool`` (each also ``| None``) and ``tuple[str, ...]``. A class with
    an ``id`` gets a column of that name too. ``input_hash`` is kept in the file's metadata for `table_is_done`,
    beside ``metadata``.
    """
    schema = _schema(cls).with_metadata({"input_hash": input_hash, **(metadata or {})})
    iterator = iter(rows)
    num_rows = 0
    with atomic_file(Path(path)) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(iterator, ROWS_PER_GROUP)):
            columns = [pa.array([getattr(row, field.name) for row in group], field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            num_rows += len(group)
    return num_rows


def read_rows(path_or_folder: Path, cls: type[Row]) -> Iterator[Row]:
    """Yield a table's rows in order, as ``cls``; a folder is all its tables, sorted by name.

    Raises:
        BadInputError: nothing there, not a Parquet file, or a column of ``cls`` is missing or of another type.
    """
    for path in table_paths(path_or_folder):
        yield from _read_file(path, cls)


def count_rows(path_or_folder: Path) -> int:
    """Return the number of rows, from the files' footers."""
    return sum(int(_open(path).metadata.num_rows) for path in table_paths(path_or_folder))


def table_paths(path_or_folder: Path) -> list[Path]:
    """Return a folder's tables sorted by name, without the rejections; a file is a list of one."""
    path = locate(path_or_folder)
    if path.is_file():
        return [path]
    found = sorted(p for p in path.glob("*.parquet") if not p.name.endswith(REJECTED_SUFFIX))
    if not found:
        raise BadInputError(f"{path}: no Parquet table here; run the stage that writes it")
    return found


def column_names(path_or_folder: Path) -> list[str]:
    """Return the columns of a table, or of a folder's first one.

    Raises:
        BadInputError: there is none, or it is no Parquet file.
    """
    with _open(table_paths(path_or_folder)[0]) as file:
        return list(file.schema_arrow.names)


def table_is_done(path: Path, input_hash: str) -> bool:
    """Return whether the table is there, in full, made from inputs and parameters with this hash."""
    return stored_metadata(Path(path)).get("input_hash") == input_hash


def stored_metadata(path: Path) -> dict[str, str]:
    """Return the text key-values of a Parquet file's footer; empty where there is no readable file."""
    try:
        stored = pq.read_schema(parquet_source(path)).metadata or {}
    except PARQUET_ERRORS:
        return {}
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in stored.items()}


def _read_file(path: Path, cls: type[Row]) -> Iterator[Row]:
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    with _open(path) as file:
        missing = [name for name in names if name not in file.schema_arrow.names]
        if missing:
            raise BadInputError(f"{path}: no column {missing[0]!r}, which a table of {cls.__name__} rows must have")
        for expected in _schema(cls):
            if expected.name in names:
                _check_column(file.schema_arrow.field(expected.name), expected, path)
        for row in _rows_of(file, names, path):
            yield cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in row.items()})


def _rows_of(file: pq.ParquetFile, names: list[str], path: Path) -> Iterator[dict[str, Any]]:
    try:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, columns=names):
            batch.validate(full=True)
            yield from batch.to_pylist()
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: missing or not a whole Parquet file; make it again") from error


def _check_column(found: pa.Field, expected: pa.Field, path: Path) -> None:
    is_list = pa.types.is_list(expected.type) and pa.types.is_list(found.type)
    is_same = found.type.value_type == expected.type.value_type if is_list else found.type == expected.type
    if not is_same:
        raise BadInputError(f"{path}: column {found.name!r} holds {found.type}, not {expected.type}; make it again")


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(parquet_source(path))
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: missing or not a whole Parquet file; make it again") from error


def _schema(cls: type) -> pa.Schema:
    hints = get_type_hints(cls)
    columns = [_column(field.name, hints[field.name]) for field in fields(cls)]
    if hasattr(cls, "id") and "id" not in hints:
        columns.insert(0, pa.field("id", pa.string(), nullable=False))
    return pa.schema(columns)


def _column(name: str, hint: Any) -> pa.Field:
    is_union = get_origin(hint) in (Union, types.UnionType)
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] if is_union else [hint]
    if len(kinds) != 1 or kinds[0] not in _TYPES:
        raise TypeError(f"no Parquet type for field {name}: {hint}")
    return pa.field(name, _TYPES[kinds[0]], nullable=is_union)
