"""The Parquet index beside a shard's tar: all fields but the pixels, and where each member's bytes are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from editfoundry.data.atomic import atomic_file
from editfoundry.data.fields import TEXT_FIELDS, to_json
from editfoundry.data.storage import locate, parquet_source, read_range
from editfoundry.errors import BadInputError

MEMBERS = {"input": ".input.png", "output": ".output.png", "mask": ".mask.png", "json": ".json"}
"""Role of a member -> what follows the record's id in its name."""

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
    ]
)
"""``provenance`` and ``scores`` are JSON; offsets and lengths are bytes, null where a record has no mask."""


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


def write_index(tar: Path, rows: Iterable[Mapping[str, Any]], input_hash: str) -> None:
    """Write the index of a tar that is already in place; its presence says that the shard is complete."""
    plain = [{**row, "provenance": to_json(row["provenance"]), "scores": to_json(row["scores"])} for row in rows]
    metadata = {"input_hash": input_hash, "tar_size": str(tar.stat().st_size)}
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
        for row in _read_one(tar).to_pylist():
            yield {**parse_row(row), "shard": tar.name}


def parse_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an index row with its JSON columns parsed."""
    return {**row, "provenance": json.loads(row["provenance"]), "scores": json.loads(row["scores"])}


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
        table = pq.read_table(parquet_source(path), partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInputError(f"{path}: not a whole Parquet file; make the shard again") from error
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise BadInputError(f"{path}: no column {missing[0]!r}, so it is not the index of a shard of triplets")
    return table
