"""Tables of captions that arrive one by one: each is a source shard, cleaned into one shard of captions.

A source shard depends on its table and the filters alone, not on other tables, so that shards can be worked on apart
and in any order. Captions that two tables share are told apart where triplets are curated.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.output_folder import claim_output
from editfoundry.data.rejections import count_by_reason, read_rejections
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.storage import locate
from editfoundry.data.tables import REJECTED_SUFFIX, count_rows
from editfoundry.errors import BadInputError
from editfoundry.sources.filters import LaionFilters
from editfoundry.sources.laion import STAGE, convert_one_shard
from editfoundry.sources.table_reader import PARQUET_SUFFIXES, TEXT_SUFFIXES

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


def take_in(incoming: Path, output: Path, filters: LaionFilters, only: str | None = None) -> StageResult:
    """Clean each incoming table into ``output/NAME.parquet``; what is there already, of the same table, is reused.

    A source shard stays when its table is taken away: the folder is an inbox that may be emptied.

    Args:
        incoming: folder of LAION-schema tables.
        output: folder of caption shards.
        filters: what a row must be like.
        only: a source shard's name, to clean that one alone.

    Raises:
        BadInputError: see `incoming_tables` and `convert_laion`; or there is no table named ``only``.
    """
    tables = incoming_tables(incoming)
    if only is not None:
        if only not in tables:
            raise BadInputError(f"{incoming}: no table of the source shard {only!r}")
        tables = {only: tables[only]}
    claim_output(output, STAGE)
    results = [_clean(table, output / f"{name}.parquet", filters) for name, table in tables.items()]
    if only is None:
        results += [_counted(shard) for shard in source_shards(output) if shard.stem not in tables]
    return add_up(results)


def source_shards(captions: Path) -> list[Path]:
    """Return the caption shards that were made of incoming tables."""
    found = (p for p in captions.glob("*.parquet") if not p.name.endswith(REJECTED_SUFFIX))
    return sorted(path for path in found if SHARD_NAME.fullmatch(path.stem))


def _clean(table: Path, shard: Path, filters: LaionFilters) -> StageResult:
    return convert_one_shard(table, shard, filters, input_hash("source shard", file_hash(table), filters))


def _counted(shard: Path) -> StageResult:
    kept, counts = count_rows(shard), count_by_reason(read_rejections(shard))
    return StageResult(num_in=kept + sum(counts.values()), num_out=kept, rejected=counts, num_shards_reused=1)
