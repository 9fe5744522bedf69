"""The stage ``clips``: tinyworld's videos or a person's own, as shards of clips."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from editfoundry.data.bounds import check_between
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.sources.caption_stage import MAX_COUNT, TINYWORLD, check_named
from editfoundry.sources.internvid_filters import InternVidFilters

TINYWORLD_CLIPS = "data/tinyworld/clips"
"""Folder of tinyworld's videos and of their table in InternVid's schema, under a project's folder; of a project with
videos of its own, it only says where those are."""
MAX_FRAME_SIZE = 4096
"""Pixels; H.264's encoders take no larger frames everywhere."""
_ELSEWHERE = "elsewhere.json"


@dataclass(frozen=True, kw_only=True)
class ClipParams:
    """Parameters of the stage ``clips``."""

    videos: str = TINYWORLD
    """``tinyworld``, or the path of a folder of videos; relative ones start at the project's folder. Empty where a
    profile leaves it to be named."""
    table: str = ""
    """InternVid-schema table of the clips in that folder; without one, every shot of every video is a clip."""
    num_clips: int = 48
    """Clips of tinyworld."""
    frame_size: int = 128
    """Pixels to a side of tinyworld's clips; even."""
    rows_per_shard: int = 1000
    """Rows of a table that are read for each shard."""
    seed: int = 0
    filters: InternVidFilters = field(default_factory=InternVidFilters)

    def __post_init__(self) -> None:
        check_between(self, 1, MAX_COUNT, "num_clips", "rows_per_shard")
        check_between(self, 32, MAX_FRAME_SIZE, "frame_size")
        if self.frame_size % 2:
            raise BadInputError(f"frame_size is {self.frame_size}; it must be even")


def run_clips(request: StageRequest) -> StageResult:
    """Make shards of clips of tinyworld's videos, which are filmed here, or of the project's own.

    Raises:
        BadInputError: videos are not named or not there, or the output holds something else.
    """
    check_clips(request)
    params: ClipParams = request.params.clips
    return _run_tinyworld(request, params) if params.videos == TINYWORLD else _run_own(request, params)


def check_clips(request: StageRequest) -> None:
    """Raise BadInputError where no videos are named, or what is named is not there."""
    params: ClipParams = request.params.clips
    check_named("clips", "videos", params.videos, request.root, "a folder of videos")
    if params.table:
        check_named("clips", "table", params.table, request.root, "an InternVid-schema table")


def _run_tinyworld(request: StageRequest, params: ClipParams) -> StageResult:
    from editfoundry.execution.output_lock import output_lock
    from editfoundry.tinyworld.clips.writing import STAGE, TABLE, VIDEOS, write_clips

    folder = request.root / TINYWORLD_CLIPS
    with output_lock(folder, STAGE):
        write_clips(folder, params.num_clips, params.seed, size=params.frame_size, progress=request.progress)
    return _of_table(request, params, folder / TABLE, folder / VIDEOS)


def _run_own(request: StageRequest, params: ClipParams) -> StageResult:
    from editfoundry.data.atomic import atomic_file
    from editfoundry.sources.video_folder import convert_video_folder

    with atomic_file(request.root / TINYWORLD_CLIPS / _ELSEWHERE) as file:
        file.write(json.dumps({"videos": params.videos, "table": params.table}).encode())
    videos = request.root / params.videos
    if params.table:
        return _of_table(request, params, request.root / params.table, videos)
    return convert_video_folder(
        videos, request.output, "shots", progress=request.progress, only=request.only, replace=request.replace
    )


def _of_table(request: StageRequest, params: ClipParams, table: Path, videos: Path) -> StageResult:
    from editfoundry.sources.internvid import convert_internvid

    rows = params.rows_per_shard
    return convert_internvid(
        table, videos, request.output, params.filters, rows, only=request.only, replace=request.replace
    )


CLIPS = Stage(
    name="clips",
    group="sources",
    output="data/clips",
    # Tinyworld's videos themselves; clips only name them.
    further_outputs=(TINYWORLD_CLIPS,),
    doing="finding the clips of videos",
    description="Clips of InternVid-schema tables: files and ranges of seconds.",
    config=ClipParams,
    run=run_clips,
    check=check_clips,
    commands=("sources clips {output}",),
    kinds=("parquet",),
)
