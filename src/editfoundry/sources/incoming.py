"""Tables of captions that arrive one by one: each is a source shard, cleaned into one shard of captions.

A source shard depends on its table and the filters alone, not on other tables, so that shards can be worked on apart
and in any order. Captions that two tables share are told apart where triplets are curated.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import ClassVar

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.nothing_kept import require_something_kept
from editfoundry.data.output_folder import check_claim
from editfoundry.data.record import Caption
from editfoundry.data.rejections import count_by_reason
from editfoundry.data.stage_result import StageResult, add_up
from editfoundry.data.storage import locate
from editfoundry.data.tables import REJECTED_SUFFIX
from editfoundry.errors import BadInputError
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.sources.laion import STAGE, check_table, kept_captions
from editfoundry.sources.laion_filters import LaionFilters, SeenRows
from editfoundry.sources.row_ranges import RowRange, num_table_rows
from editfoundry.sources.table_reader import PARQUET_SUFFIXES, TEXT_SUFFIXES, TableRow, read_table_rows, table_files

SHARD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""A source shard's name: never that of a numbered shard, and always a file's name."""

DAMAGED_TABLE = "damaged table"
SET_ASIDE = "set_aside.json"
"""Beside the caption shards: name of a table's file -> why it cannot be used."""

_SUFFIXES = (*PARQUET_SUFFIXES, *TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES))


def incoming_tables(folder: Path | str) -> dict[str, Path]:
    """Return the tables in a folder, on the disk or at ``s3://bucket/prefix``, by the name of their source shard.

    Hidden files and files of other kinds are passed over; a folder that is not there holds none.

    Raises:
        BadInputError: a table's name is no shard's name, or two tables have the same.
    """
    arrived = sort_arrived(folder)
    for reason in arrived.set_aside.values():
        raise BadInputError(reason)
    return arrived.tables


@dataclass(frozen=True)
class Arrived:
    """What lies in a folder of tables that arrive."""

    tables: dict[str, Path]
    """Source shard -> its table."""
    set_aside: dict[str, str]
    """Name of a file that cannot be a source shard -> why."""


def sort_arrived(folder: Path | str) -> Arrived:
    """Return the tables in a folder, see `incoming_tables`, and apart from them those whose names cannot be used.

    Of two tables of one name, the first in the alphabet is the source shard.
    """
    place = locate(folder)
    arrived = Arrived({}, {})
    for path in sorted(place.glob("*")) if place.is_dir() else ():
        suffix = next((s for s in _SUFFIXES if path.name.endswith(s)), None)
        if suffix is None or path.name.startswith("."):
            continue
        name = path.name.removesuffix(suffix)
        if not SHARD_NAME.fullmatch(name):
            reason = f"{path}: rename it: a source shard's name has letters, digits, _ and -, and no dot"
            arrived.set_aside[path.name] = reason
        elif name in arrived.tables:
            reason = f"{path}: {arrived.tables[name].name} is a source shard of the same name; rename one"
            arrived.set_aside[path.name] = reason
        else:
            arrived.tables[name] = path
    return arrived


def fetch_table(table: Path, folder: Path) -> Path:
    """Copy a table from a bucket into ``folder``, whole or not at all; return where it is then."""
    target = folder / table.name
    folder.mkdir(parents=True, exist_ok=True)
    with table.open("rb") as source, atomic_file(target) as file:
        shutil.copyfileobj(source, file)
    return target


@dataclass(frozen=True)
class IncomingStage(ShardStage[RowRange, None, Caption]):
    """Captions of tables that arrived, each a shard of its name, beside the numbered ones."""

    source: Path
    """Folder of the tables."""
    filters: LaionFilters

    name: ClassVar[str] = STAGE
    store: ClassVar[RowStore[Caption]] = RowStore(Caption)

    @cached_property
    def _tables(self) -> dict[str, Path]:
        return sort_arrived(self.source).tables

    def shards(self) -> list[Shard[RowRange]]:
        """Return the tables; a damaged one is found when it is read."""
        return [
            Shard(name, RowRange(partial(_rows, path)), num_table_rows(table_files(path)) or 0)
            for name, path in self._tables.items()
        ]

    def num_in(self, shard: Shard[RowRange]) -> int:
        """Return the number of a table's rows."""
        return shard.source.count()

    def digest(self, shard: Shard[RowRange], target: Path) -> str:
        """Hash the table and the filters."""
        table = self._tables[shard.name]
        check_table(table, table_files(table), self.filters)
        return input_hash("source shard", file_hash(table), self.filters)

    def setup(self) -> None:
        """Load nothing."""

    def process(self, models: None, shard: Shard[RowRange], target: Path, notes: ShardNotes) -> Iterator[Caption]:
        """Yield what the filters keep, something at least; rows count as seen within this table alone."""
        num_kept = 0
        for caption in kept_captions(shard.source, self.filters, SeenRows(), notes):
            num_kept += 1
            yield caption
        counts = count_by_reason(notes.rejected)
        result = StageResult(num_in=num_kept + len(notes.rejected), num_out=num_kept, rejected=counts)
        require_something_kept(result, self._tables[shard.name])

    def made_of(self, output: Path) -> None:
        """Return None: what arrives is added to what is there, from whichever inbox."""

    def owns(self, name: str) -> bool:
        """Return False: a shard stays when its table is taken away."""
        return False


def take_in(
    incoming: Path,
    output: Path,
    filters: LaionFilters,
    only: str | None = None,
    progress: Progress | None = None,
) -> StageResult:
    """Clean each incoming table into ``output/NAME.parquet``; what is there already, of the same table, is reused.

    A source shard stays when its table is taken away: the folder is an inbox that may be emptied. A table that cannot
    be used is set aside, so that it does not keep the others waiting: it counts as one record that was rejected as
    ``damaged table``, and ``output/SET_ASIDE`` says why.

    Args:
        incoming: folder of LAION-schema tables.
        output: folder of caption shards.
        filters: what a row must be like.
        only: a source shard's name, to clean that one alone; then a table that cannot be used is an error.
        progress: called with rows done and rows in all, of Parquet tables.

    Raises:
        BadInputError: there is no table named ``only``, or it cannot be used; or ``output`` holds something else.
    """
    arrived = sort_arrived(incoming)
    if only is not None:
        if only not in arrived.tables:
            raise BadInputError(f"{incoming}: no table of the source shard {only!r}")
        return run_stage(IncomingStage(incoming, filters), output, only=only, progress=progress)
    check_claim(output, STAGE)
    results: list[StageResult] = []
    set_aside = dict(arrived.set_aside)
    for name, table in arrived.tables.items():
        try:
            results.append(run_stage(IncomingStage(incoming, filters), output, only=name, progress=progress))
        except BadInputError as error:
            set_aside[table.name] = str(error)
    _tell_set_aside(output, set_aside)
    if set_aside:
        num = len(set_aside)
        results.append(StageResult(num_in=num, num_out=0, rejected={DAMAGED_TABLE: num}))
    made = {name for name, table in arrived.tables.items() if table.name not in set_aside}
    others = [shard for shard in source_shards(output) if shard.stem not in made]
    return add_up([*results, *(IncomingStage.store.stored(shard) for shard in others)])


def _tell_set_aside(output: Path, set_aside: dict[str, str]) -> None:
    """Write why tables are set aside, or remove what an earlier run wrote."""
    path = output / SET_ASIDE
    if not set_aside:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as file:
        file.write(json.dumps(set_aside, indent=1, sort_keys=True).encode())


def source_shards(captions: Path) -> list[Path]:
    """Return the caption shards that were made of incoming tables."""
    found = (p for p in captions.glob("*.parquet") if not p.name.endswith(REJECTED_SUFFIX))
    return sorted(path for path in found if SHARD_NAME.fullmatch(path.stem))


def _rows(table: Path) -> Iterator[TableRow]:
    return chain.from_iterable(read_table_rows(path) for path in table_files(table))
