"""The stage ``captions``: tinyworld's table of captions, and tables that arrived, cleaned into shards."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.data.stage_result import StageResult, add_up
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.sources.laion_filters import LaionFilters

TINYWORLD_TABLE = "data/tinyworld/captions.parquet"
"""The LAION-schema table of tinyworld's captions, under a project's folder."""
INCOMING = "data/incoming"
"""Folder of LAION-schema tables that arrived, each a source shard."""


@dataclass(frozen=True, kw_only=True)
class CaptionParams:
    """Parameters of the stage ``captions``."""

    num_rows: int = 480
    """Rows of the tinyworld table."""
    rows_per_shard: int = 100_000
    """Rows of a table that are read for each shard; a shard is the unit of work and of resumption."""
    seed: int = 0
    filters: LaionFilters = field(default_factory=LaionFilters)


def run_captions(request: StageRequest) -> StageResult:
    """Write tinyworld's table and clean it into numbered shards; clean each table that arrived into one of its name.

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
    table = request.root / TINYWORLD_TABLE
    # Rewriting the table is cheap and gives the same bytes.
    write_laion_table(table, params.num_rows, params.seed)
    numbered = convert_laion(
        table, request.output, params.filters, params.rows_per_shard, progress=request.progress, replace=request.replace
    )
    return add_up([numbered, take_in(incoming, request.output, params.filters)])


CAPTIONS = Stage(
    name="captions",
    group="sources",
    output="data/captions",
    doing="cleaning a LAION-schema table",
    description="Captions of LAION-schema tables, without duplicates, unsafe and watermarked rows.",
    config=CaptionParams,
    run=run_captions,
    # What arrived is no input that DVC knows: most projects have none, and DVC would not run without it.
    commands=(
        f"tinyworld captions --out {TINYWORLD_TABLE}",
        f"sources laion {TINYWORLD_TABLE} {{output}}",
        f"sources incoming {INCOMING} {{output}}",
    ),
    kinds=("parquet",),
    takes_source_shards=True,
)
