"""The Emu Edit test set, as its Parquet files on the Hugging Face hub (Emu Edit, section 5).

Columns: ``instruction image task split idx hash input_caption output_caption``. The split trap: this set calls its
3589 rows ``test`` and its 2022 rows ``validation``; the published generations call the same rows the other way round,
and for a time the folder held every file twice. So rows go by their own column ``split``, repeated rows count once, and
the counts are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.data.exchange.importing import text
from editfoundry.data.images import open_image
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.parquet_pieces import open_in_pieces
from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError, one_line
from editfoundry.evaluation.benchmarks.collecting import Collection, safe_id
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.judging.clip_similarity import SAME_CAPTIONS, undefined_direction

EXPECTED = {"test": 3589, "validation": 2022}
_COLUMNS = ("instruction", "image", "task")
_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class _Place:
    """Where a row is."""

    path: Path
    group: int
    """Row group."""
    row: int
    """In its group."""


class _Pictures:
    """Reads pictures from their rows, a few rows at once; it is quick where they are asked for in order."""

    def __init__(self) -> None:
        self._group: tuple[Path, int] | None = None
        self._windows: Iterator[pa.Array] = iter(())
        self._window: pa.Array = ()
        self._first = 0
        """Row of the group that the window begins with."""

    def read(self, place: _Place) -> Image.Image:
        """Return a row's picture."""
        if self._group != (place.path, place.group) or place.row < self._first:
            self._windows, self._window, self._first = _image_windows(place.path, place.group), (), 0
            self._group = (place.path, place.group)
        while place.row >= self._first + len(self._window):
            self._first += len(self._window)
            self._window = self._next(place)
        return _decode(self._window[place.row - self._first].as_py(), f"{place.path.name} row {place.row}")

    def _next(self, place: _Place) -> pa.Array:
        try:
            return next(self._windows)
        except StopIteration:
            self._group = None
            raise BadInputError(f"{place.path}: has lost rows since it was read; give the whole file again") from None
        except PARQUET_ERRORS as error:
            self._group = None
            raise _unreadable(place.path, error) from error


def _image_windows(path: Path, group: int) -> Iterator[pa.Array]:
    with open_in_pieces(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[group], columns=["image"]):
            yield batch.column("image")


def read_emu_edit(folder: Path, *, split: str = "test") -> Benchmark:
    """Read one split of the Emu Edit test set; pictures are read from their files when they are needed.

    Raises:
        BadInputError: no Parquet file, a broken one, or one without the official columns.
    """
    collection, identities, pictures = Collection(folder), dict[str, str](), _Pictures()
    seen: Counter[str] = Counter()
    disagreeing = 0
    for place, row in _rows(folder):
        named = _split_of_name(place.path)
        own = text(row, "split") or named
        seen[own] += 1
        disagreeing += bool(named) and own != named
        if own == split:
            _add(collection, identities, pictures, place, row)
    if not seen[split]:
        found = ", ".join(one or "rows that name no split" for one in sorted(seen))
        raise BadInputError(f"{folder}: no row of the split {split!r}; it has {found or 'no row at all'}")
    same = sum(undefined_direction(i.input_caption, i.output_caption) == SAME_CAPTIONS for i in collection.items)
    return Benchmark(
        name=_name(split),
        title=_title(split),
        items=tuple(collection.items),
        missing=tuple(collection.missing),
        extra=collection.extra(),
        facts={
            "split": split,
            "rows_by_split": dict(seen),
            "expected": EXPECTED.get(split),
            "num_files_name_another_split": disagreeing,
            "num_identical_captions": same,
        },
    )


def _rows(folder: Path) -> Iterator[tuple[_Place, dict[str, Any]]]:
    paths = sorted(p for p in folder.rglob("*.parquet") if not p.name.startswith("."))
    if not paths:
        raise BadInputError(f"{folder}: no Parquet file below it; give the folder that holds data/test-*.parquet")
    for path in paths:
        try:
            with open_in_pieces(path) as file:
                _check_columns(path, file.schema_arrow.names)
                for group in range(file.num_row_groups):
                    yield from _group_rows(file, path, group)
        except PARQUET_ERRORS as error:
            raise _unreadable(path, error) from error


def _group_rows(file: pq.ParquetFile, path: Path, group: int) -> Iterator[tuple[_Place, dict[str, Any]]]:
    number = 0
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[group]):
        for row in batch.to_pylist():
            yield _Place(path, group, number), row
            number += 1


def _check_columns(path: Path, names: list[str]) -> None:
    for column in _COLUMNS:
        if column not in names:
            raise BadInputError(f"{path}: no column {column!r}; it has {', '.join(names)}")


def _unreadable(path: Path, error: Exception) -> BadInputError:
    return BadInputError(f"{path}: not a whole Parquet file ({one_line(error, 160)}); get it again")


def _split_of_name(path: Path) -> str:
    return next((split for split in EXPECTED if path.name.startswith(split)), "")


def _add(
    collection: Collection, identities: dict[str, str], pictures: _Pictures, place: _Place, row: Mapping[str, Any]
) -> None:
    """Take a row in; ``identities`` are what tells the rows so far from others, by their ids."""
    named = (row.get(column) for column in ("idx", "hash"))
    label = next((value for value in named if value is not None and value == value), None)  # pandas' gaps are NaN
    identifier = safe_id(f"{label}" if label is not None else f"{place.path.stem}-{place.group}-{place.row}")
    try:
        _decode(row.get("image"), identifier)
    except BadInputError as error:
        collection.lacks(identifier, "input", str(error))
        return
    identity = _identity(row)
    if identities.setdefault(identifier, identity) != identity:
        collection.lacks(
            identifier, "entry", "its idx is that of another row, which has another instruction or picture"
        )
        return
    task = _task(row)
    item = BenchmarkItem(
        id=identifier,
        category=task or "unlabelled",
        task=task if task in TASK_NAMES else None,
        instruction=text(row, "instruction").strip(),
        input_image=partial(pictures.read, place),
        input_caption=text(row, "input_caption") or None,
        output_caption=text(row, "output_caption") or None,
    )
    collection.add(item)


def _identity(row: Mapping[str, Any]) -> str:
    """Return what a row, whose picture can be read, shares with those alone that repeat it."""
    hashed, image = row.get("hash"), row["image"]
    data: bytes = image["bytes"] if isinstance(image, Mapping) else image
    return short_hash(text(row, "instruction").strip(), hashed if isinstance(hashed, str) and hashed else data)


def _task(row: Mapping[str, Any]) -> str:
    """Return a row's task as Emu Edit writes it, or as the row does where that is none of the sixteen."""
    named = text(row, "task")
    plain = named.strip().lower()
    return plain if plain in TASK_NAMES else named


def _decode(value: object, name: str) -> Image.Image:
    data = value.get("bytes") if isinstance(value, Mapping) else value
    if not isinstance(data, bytes) or not data:
        raise BadInputError(f"{name}: no picture in its row")
    return open_image(data, name)


def _name(split: str) -> str:
    return "emu-edit" if split == "test" else f"emu-edit-{split}"


def _title(split: str) -> str:
    return f"Emu Edit test set, split {split}"


def _definition(split: str) -> BenchmarkDefinition:
    return BenchmarkDefinition(
        name=_name(split),
        title=_title(split),
        layout="data/test-*.parquet and data/validation-*.parquet",
        read=partial(read_emu_edit, split=split),
    )


EMU_EDIT = _definition("test")
EMU_EDIT_VALIDATION = _definition("validation")
