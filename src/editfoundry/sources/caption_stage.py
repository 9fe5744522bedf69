"""The stage ``captions``: a table of captions, and tables that arrived, cleaned into shards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.data.bounds import check_between
from editfoundry.data.stage_result import StageResult, add_up
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.sources.laion_filters import LaionFilters

TINYWORLD_TABLE = "data/tinyworld/captions.parquet"
"""The LAION-schema table of tinyworld's captions, under a project's folder."""
TINYWORLD = "tinyworld"
"""The word for the world's own captions or clips in the place of a path."""
INCOMING = "data/incoming"
"""Folder of LAION-schema tables that arrived, each a source shard."""


MAX_COUNT = 10**9
"""Of rows, for which there is no bound of their own."""


@dataclass(frozen=True, kw_only=True)
class CaptionParams:
    """Parameters of the stage ``captions``."""

    table: str = TINYWORLD
    """``tinyworld``, or the path of a LAION-schema table or folder of Parquet; relative ones start at the project's
    folder. Empty where a profile leaves it to be named."""
    num_rows: int = 480
    """Rows of the tinyworld table."""
    rows_per_shard: int = 100_000
    """Rows of a table that are read for each shard; a shard is the unit of work and of resumption."""
    seed: int = 0
    filters: LaionFilters = field(default_factory=LaionFilters)

    def __post_init__(self) -> None:
        check_between(self, 1, MAX_COUNT, "num_rows", "rows_per_shard")


def run_captions(request: StageRequest) -> StageResult:
    """Clean the project's table into numbered shards, and each table that arrived into one of its name.

    The project's table is tinyworld's, which is written here, or the one that the parameters name.

    With ``request.only`` the table of that name alone is cleaned.

    Raises:
        BadInputError: a table cannot be used, there is none named ``only``, or the output holds something else.
    """
    from editfoundry.sources.incoming import take_in
    from editfoundry.sources.laion import convert_laion
    from editfoundry.tinyworld.captions import write_laion_table

    params: CaptionParams = request.params.captions
    incoming = request.root / INCOMING
    if request.only is not None:
        return take_in(incoming, request.output, params.filters, request.only, request.progress)
    check_captions(request)
    table = request.root / (TINYWORLD_TABLE if params.table == TINYWORLD else params.table)
    if params.table == TINYWORLD:
        # Rewriting the table is cheap and gives the same bytes.
        write_laion_table(table, params.num_rows, params.seed)
    numbered = convert_laion(
        table, request.output, params.filters, params.rows_per_shard, progress=request.progress, replace=request.replace
    )
    return add_up([numbered, take_in(incoming, request.output, params.filters)])


def check_captions(request: StageRequest) -> None:
    """Raise BadInputError where no table is named, or the one that is named is not there."""
    check_named("captions", "table", request.params.captions.table, request.root, "a LAION-schema table of captions")


def check_named(section: str, name: str, path: str, root: Path, what: str) -> None:
    """Raise BadInputError where a source is not named, or not there."""
    if not path:
        raise BadInputError(f"{section}.{name} names nothing, and the profile comes without: name {what}")
    if path != TINYWORLD and not (root / path).exists():
        raise BadInputError(f"{section}.{name} is {path}, but there is nothing: name {what}")


CAPTIONS = Stage(
    name="captions",
    group="sources",
    output="data/captions",
    doing="cleaning a LAION-schema table",
    description="Captions of LAION-schema tables, without duplicates, unsafe and watermarked rows.",
    config=CaptionParams,
    run=run_captions,
    check=check_captions,
    # What arrived is no input that DVC knows: most projects have none, and DVC would not run without it.
    commands=("sources captions {output}",),
    kinds=("parquet",),
    takes_source_shards=True,
)
