"""The Parquet index beside a shard's tar: all fields but the pixels, and where each member's bytes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from editfoundry.data.atomic import atomic_file
from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.data.fields import TEXT_FIELDS, to_json
from editfoundry.data.images import MAX_IMAGE_PIXELS
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.storage import locate, parquet_source, read_range
from editfoundry.data.untrusted import parse_json
from editfoundry.errors import BadInputError

MEMBERS = {"input": ".input.png", "output": ".output.png", "mask": ".mask.png", "json": ".json"}
"""Role of a member -> what follows the record's id in its name."""
_ROWS_AT_ONCE = 4096
_MAX_TAR_BYTES, _MAX_MEMBER_BYTES = 2**46, 2**31
"""Beyond what a shard of pictures of at most 64 megapixels has."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in TEXT_FIELDS),
        pa.field("keywords", pa.list_(pa.string()), nullable=False),
        pa.field("provenance", pa.string(), nullable=False),
        pa.field("scores", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        *(
            pa.field(f"{role}_{what}", pa.int64(), nullable=role == "mask")
            for role in MEMBERS
            for what in ("offset", "length")
        ),
        pa.field("mask_hash", pa.string()),
    ]
)
"""``provenance`` and ``scores`` are JSON; offsets and lengths are bytes, null where a record has no mask. ``mask_hash``
is `record.mask_hash`: a record's id covers its instruction and both pictures, not its mask."""
ADDED_COLUMNS = frozenset({"mask_hash", "task", "expressive_instruction"})
"""Columns that indexes written before have not; they are read as if every value were null, or empty where none may be
null."""
REQUIRED_COLUMNS = tuple(name for name in SCHEMA.names if name not in ADDED_COLUMNS)


def index_path(tar: Path) -> Path:
    """Return the index's path: ``00000.parquet`` for ``00000.tar``."""
    return locate(tar).with_suffix(".parquet")


def shard_paths(folder: Path) -> list[Path]:
    """Return a folder's tars, sorted by name."""
    return sorted(locate(folder).glob("*.tar"))


def shards_of(path_or_folder: Path) -> list[Path]:
    """Return a folder's tars sorted by name, or the one tar itself (its index's path names it too).

    Raises:
        BadInputError: there is no shard.
    """
    path = locate(path_or_folder)
    if path.suffix in (".tar", ".parquet") and not path.is_dir():
        return [path.with_suffix(".tar")]
    found = shard_paths(path)
    if not found:
        raise BadInputError(f"{path}: no shard (*.tar) here; run the stage that writes it, or give another folder")
    return found


def write_index(tar: Path, rows: Iterable[Mapping[str, Any]], input_hash: str, num_derived: int = 0) -> None:
    """Write the index of a tar that is already in place; its presence says that the shard is complete.

    ``num_derived`` is how many of its records and rejections were made beyond one for each record of the input.
    """
    plain = [{**row, "provenance": to_json(row["provenance"]), "scores": to_json(row["scores"])} for row in rows]
    metadata = {"input_hash": input_hash, "tar_size": str(tar.stat().st_size)}
    metadata |= {"num_derived": str(num_derived)} if num_derived else {}
    table = pa.Table.from_pylist(plain, schema=SCHEMA.with_metadata(metadata))
    with atomic_file(index_path(tar)) as file:
        pq.write_table(table, file, compression="zstd")


def read_index(path_or_folder: Path) -> pa.Table:
    """Return the index of a shard, or of all shards of a folder in order, with the tar's name in column ``shard``.

    Raises:
        BadInputError: no shard, no index beside a tar, or an index that is not one.
    """
    tables = []
    for tar in shards_of(path_or_folder):
        table = _read_one(tar).replace_schema_metadata(None)
        tables.append(table.append_column("shard", pa.array([tar.name] * table.num_rows, pa.string())))
    return pa.concat_tables(tables)


def rows_of_split(index: pa.Table, split: str, where: Path) -> pa.Table:
    """Return the rows of an index that belong to one split; all of them where no row or every row has the same split.

    An imported data set holds the splits it came with in one folder; rows without a split count as ``train``.

    Raises:
        BadInputError: the index has several splits, and not the one that is asked for.
    """
    column = index.column("split")
    if len(column.unique()) < 2:
        return index
    rows = index.filter(pc.is_in(column, pa.array([split, ""] if split == "train" else [split])))
    if rows.num_rows == 0:
        there = ", ".join(sorted(value or "none" for value in column.unique().to_pylist()))
        raise BadInputError(f"{where}: has no triplet of the split {split}; its splits are {there}")
    return rows


def read_fields(path_or_folder: Path) -> Iterator[dict[str, Any]]:
    """Yield each index row as a dict, in order, with ``provenance`` and ``scores`` parsed; no pixel is read."""
    for tar in shards_of(path_or_folder):
        for number, row in enumerate(_read_one(tar).to_pylist(), start=1):
            yield {**parse_row(row, f"{tar}: row {number} of its index"), "shard": tar.name}


def index_rows(tar: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield some columns of a shard's checked index, row by row, as they are stored; no pixel is read.

    Raises:
        BadInputError: no index beside the tar, or one that is not an index.
    """
    for batch in _read_one(tar).select(list(columns)).to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def parse_row(row: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return an index row with its JSON columns parsed; errors begin with ``where``, by default the row's id.

    Raises:
        BadInputError: a column is not the JSON that an index has there.
    """
    where = where or f"index row {row['id']}"
    scores = parse_json_column(row["scores"], where, "scores")
    odd = next((name for name, value in scores.items() if type(value) not in (int, float)), None)
    if odd is not None:
        raise BadInputError(f"{where}: its score {odd[:40]!r} is no number; make the shard again")
    return {**row, "provenance": parse_json_column(row["provenance"], where, "provenance"), "scores": scores}


def parse_json_column(text: str, where: str, column: str) -> dict[str, Any]:
    """Return the mapping that a JSON column of an index row holds; BadInputError begins with ``where``."""
    try:
        value = parse_json(text)
    except ValueError as error:
        raise BadInputError(
            f"{where}: its {column} are not readable as JSON ({error}); make the shard again"
        ) from error
    if not isinstance(value, dict):
        raise BadInputError(f"{where}: its {column} are no JSON object; make the shard again")
    return value


def read_checked_rows(tar: Path) -> list[dict[str, Any]]:
    """Return a shard's index rows after checking that every member they name lies inside the tar.

    Raises:
        BadInputError: tar or index is missing, the tar was cut, or a row points outside it.
    """
    table = _read_one(tar)
    if not tar.is_file():
        raise BadInputError(f"{tar}: missing, though its index is there; make the shard again")
    size = tar.stat().st_size
    rows = table.to_pylist()
    for number, row in enumerate(rows, start=1):
        for role in MEMBERS:
            offset, length = row[f"{role}_offset"], row[f"{role}_length"]
            if offset is not None and (offset < 512 or length < 0 or offset + length > size):
                raise BadInputError(
                    f"{tar}: row {number} of its index ({row['id']}) has its {role} at bytes {offset} to "
                    f"{offset + length} of a tar of {size}; the tar is cut or the index is another's, make both again"
                )
    expected = (table.schema.metadata or {}).get(b"tar_size", b"").decode()
    if expected != str(size):
        raise BadInputError(f"{tar}: has {size} bytes where its index says {expected or 'nothing'}; make it again")
    return rows


def read_member(tar: Path, offset: int, length: int) -> bytes:
    """Return one member's bytes with one ranged read; ``offset`` and ``length`` as the index gives them.

    Raises:
        BadInputError: the tar ends before the member does.
    """
    data = read_range(tar, offset, length)
    if len(data) != length:
        raise BadInputError(f"{tar}: ends before byte {offset + length}, where its index has a member; make it again")
    return data


def _read_one(tar: Path) -> pa.Table:
    path = index_path(tar)
    if not path.is_file():
        raise BadInputError(f"{tar}: no index {path.name} beside it, so it was never finished; make it again")
    try:
        # Only the index's own columns: what else a file holds is never asked for.
        table = pq.read_table(parquet_source(path), partitioning=None, columns=_columns_there(path))
        table.validate(full=True)
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: not a whole Parquet file; make the shard again") from error
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    unknown = [name for name in missing if name not in ADDED_COLUMNS]
    if unknown:
        raise BadInputError(f"{path}: no column {unknown[0]!r}, so it is not the index of a shard of triplets")
    for name in missing:
        field = SCHEMA.field(name)
        empty = pa.nulls(table.num_rows, field.type) if field.nullable else pa.array([""] * table.num_rows, field.type)
        table = table.append_column(field, empty)
    _check_index(table, path)
    return table


def _columns_there(path: Path) -> list[str]:
    there = pq.read_schema(parquet_source(path)).names
    return [name for name in SCHEMA.names if name in there]


def _check_index(table: pa.Table, path: Path) -> None:
    """Check what every reader of an index relies on: types, no gaps, names and places that can be."""
    for field in SCHEMA:
        column = table.column(field.name)
        if not _is_of_type(column.type, field.type):
            raise BadInputError(f"{path}: column {field.name!r} holds {column.type}, not {field.type}; make it again")
        if column.null_count and not field.nullable:
            raise BadInputError(f"{path}: column {field.name!r} has rows without a value; make the shard again")
    _check_all(pc.match_substring_regex(table.column("id"), "^[0-9a-f]{16}$"), path, "id")
    _check_all(pc.is_in(table.column("task"), pa.array(["", *TASK_NAMES])), path, "task")
    pixels = pc.multiply(*(pc.cast(table.column(side), pa.int64()) for side in ("width", "height")))
    _check_all(pc.and_(pc.greater(table.column("width"), 0), pc.greater(table.column("height"), 0)), path, "width")
    _check_all(pc.less_equal(pixels, MAX_IMAGE_PIXELS), path, "width")
    for role in MEMBERS:
        offset, length = table.column(f"{role}_offset"), table.column(f"{role}_length")
        _check_all(pc.equal(pc.is_null(offset), pc.is_null(length)), path, f"{role}_offset")
        _check_all(pc.and_(pc.greater_equal(offset, 512), pc.less(offset, _MAX_TAR_BYTES)), path, f"{role}_offset")
        _check_all(pc.and_(pc.greater(length, 0), pc.less(length, _MAX_MEMBER_BYTES)), path, f"{role}_length")


def _check_all(holds: pa.ChunkedArray, path: Path, column: str) -> None:
    """Raise BadInputError that names the first row for which ``holds`` is false; null passes."""
    row = pc.index(holds, False).as_py()
    if row >= 0:
        raise BadInputError(f"{path}: row {row + 1} has a {column} that no shard can have; make the shard again")


def _is_of_type(found: pa.DataType, expected: pa.DataType) -> bool:
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and bool(found.value_type == expected.value_type)
    return bool(found == expected)
