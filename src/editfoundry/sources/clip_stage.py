"""The stage ``clips``: tinyworld's videos, their table cleaned into shards of clips."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.sources.internvid_filters import InternVidFilters

TINYWORLD_CLIPS = "data/tinyworld/clips"
"""Folder of tinyworld's videos and of their table in InternVid's schema, under a project's folder."""


@dataclass(frozen=True, kw_only=True)
class ClipParams:
    """Parameters of the stage ``clips``."""

    num_clips: int = 48
    """Clips of tinyworld."""
    frame_size: int = 128
    """Pixels to a side of tinyworld's clips; even."""
    rows_per_shard: int = 1000
    """Rows of a table that are read for each shard."""
    seed: int = 0
    filters: InternVidFilters = field(default_factory=InternVidFilters)


def run_clips(request: StageRequest) -> StageResult:
    """Film tinyworld, and clean the table of its videos into shards of clips.

    Raises:
        BadInputError: the output holds something else.
    """
    from editfoundry.execution.output_lock import output_lock
    from editfoundry.sources.internvid import convert_internvid
    from editfoundry.tinyworld.clips.writing import STAGE, TABLE, VIDEOS, write_clips

    params: ClipParams = request.params.clips
    folder = request.root / TINYWORLD_CLIPS
    with output_lock(folder, STAGE):
        write_clips(folder, params.num_clips, params.seed, size=params.frame_size, progress=request.progress)
    return convert_internvid(
        folder / TABLE,
        folder / VIDEOS,
        request.output,
        params.filters,
        params.rows_per_shard,
        only=request.only,
        replace=request.replace,
    )


CLIPS = Stage(
    name="clips",
    group="sources",
    output="data/clips",
    # The videos themselves; clips only name them.
    further_outputs=(TINYWORLD_CLIPS,),
    doing="filming tinyworld, cleaning an InternVid-schema table",
    description="Clips of InternVid-schema tables: files and ranges of seconds.",
    config=ClipParams,
    run=run_clips,
    commands=(
        f"tinyworld clips {TINYWORLD_CLIPS}",
        f"sources internvid {TINYWORLD_CLIPS}/clips.parquet {{output}} --videos {TINYWORLD_CLIPS}/videos",
    ),
    kinds=("parquet",),
)
