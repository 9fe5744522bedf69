"""Tables of captions that arrive one by one: each is a source shard, cleaned into one shard of captions.

A source shard depends on its table and the filters alone, not on other tables, so that shards can be worked on apart
and in any order. Captions that two tables share are told apart where triplets are curated.
"""

from __future__ import annotations

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
from editfoundry.data.record import Caption
from editfoundry.data.rejections import count_by_reason
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.storage import locate
from editfoundry.data.tables import REJECTED_SUFFIX
from editfoundry.errors import BadInputError
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.sources.filters import LaionFilters, SeenRows
from editfoundry.sources.laion import STAGE, check_table, kept_captions
from editfoundry.sources.row_ranges import RowRange, num_table_rows
from editfoundry.sources.table_reader import PARQUET_SUFFIXES, TEXT_SUFFIXES, TableRow, read_table_rows, table_files

SHARD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""A source shard's name: never that of a numbered shard, and always a file's name."""

_SUFFIXES = (*PARQUET_SUFFIXES, *TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES))


def incoming_tables(folder: Path | str) -> dict[str, Path]:
    """Return the tables in a folder, on the disk or at ``s3://bucket/prefix``, by the name of their source shard.

    Hidden files and files of other kinds are passed over; a folder that is not there holds none.

    Raises:
        BadInputError: a table's name is no shard's name, or two tables have the same.
    """
    place = locate(folder)
    tables: dict[str, Path] = {}
    for path in sorted(place.glob("*")) if place.is_dir() else ():
        suffix = next((s for s in _SUFFIXES if path.name.endswith(s)), None)
        if suffix is None or path.name.startswith("."):
            continue
        name = path.name.removesuffix(suffix)
        if not SHARD_NAME.fullmatch(name):
            raise BadInputError(f"{path}: rename it: a source shard's name has letters, digits, _ and -, and no dot")
        if name in tables:
            raise BadInputError(f"{path}: {tables[name].name} is a source shard of the same name; rename one")
        tables[name] = path
    return tables


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
        return incoming_tables(self.source)

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

    A source shard stays when its table is taken away: the folder is an inbox that may be emptied.

    Args:
        incoming: folder of LAION-schema tables.
        output: folder of caption shards.
        filters: what a row must be like.
        only: a source shard's name, to clean that one alone.
        progress: called with rows done and rows in all, of Parquet tables.

    Raises:
        BadInputError: see `incoming_tables` and `convert_laion`; or there is no table named ``only``.
    """
    tables = incoming_tables(incoming)
    if only is not None and only not in tables:
        raise BadInputError(f"{incoming}: no table of the source shard {only!r}")
    result = run_stage(IncomingStage(incoming, filters), output, only=only, progress=progress)
    if only is not None:
        return result
    others = [shard for shard in source_shards(output) if shard.stem not in tables]
    return add_up([result, *(IncomingStage.store.stored(shard) for shard in others)])


def source_shards(captions: Path) -> list[Path]:
    """Return the caption shards that were made of incoming tables."""
    found = (p for p in captions.glob("*.parquet") if not p.name.endswith(REJECTED_SUFFIX))
    return sorted(path for path in found if SHARD_NAME.fullmatch(path.stem))


def _rows(table: Path) -> Iterator[TableRow]:
    return chain.from_iterable(read_table_rows(path) for path in table_files(table))
