"""Commands that bring raw captions and videos in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import sources_app
from editfoundry.cli.shared import (
    JsonOption,
    OnlyOption,
    ParamsOption,
    ProfileOption,
    ReplaceOption,
    chosen_params,
    progress_bar,
    show_result,
)
from editfoundry.data.stage_result import StageResult
from editfoundry.lineage.params import Params


class VideoParts(StrEnum):
    """The parts of a video that become clips."""

    WHOLE = "whole"
    SHOTS = "shots"


def _run_stage(name: str, output: Path, only: str | None, replace: bool, params: Params, as_json: bool) -> None:
    from editfoundry.execution.stage_record import StageRequest
    from editfoundry.lineage.stages import stage_named

    with progress_bar("rows") as progress:
        request = StageRequest(params=params, output=output, progress=progress, only=only, replace=replace)
        result = stage_named(name).run(request)
    assert isinstance(result, StageResult)
    show_result(result, output, as_json)


@sources_app.command("captions")
def sources_captions(
    output: Annotated[Path, typer.Argument(help="Folder of caption shards.")],
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clean the table that the parameters name, and tables that arrived. Example: editfoundry sources captions data/captions."""  # noqa: E501
    _run_stage("captions", output, only, replace, chosen_params(params, profile), as_json)


@sources_app.command("clips")
def sources_clips(
    output: Annotated[Path, typer.Argument(help="Folder of clip shards.")],
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the clips of the videos that the parameters name. Example: editfoundry sources clips data/clips."""
    _run_stage("clips", output, only, replace, chosen_params(params, profile), as_json)


@sources_app.command("rehearsal")
def sources_rehearsal(
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take pairs of what the base can already, so that it is not unlearned. Example: editfoundry sources rehearsal data/triplets/rehearsal."""  # noqa: E501
    _run_stage("rehearsal", output, only, replace, chosen_params(params, profile), as_json)


@sources_app.command("laion")
def sources_laion(
    table: Annotated[Path, typer.Argument(help="LAION-schema Parquet, CSV, TSV or JSONL file, or folder of Parquet.")],
    output: Annotated[Path, typer.Argument(help="Folder of caption shards.")],
    limit: Annotated[int | None, typer.Option(help="Read at most this many rows.")] = None,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clean a LAION-schema table. Example: editfoundry sources laion part-0.parquet data/captions."""
    from editfoundry.sources.laion import convert_laion

    chosen = chosen_params(params, profile).captions
    with progress_bar("rows") as progress:
        result = convert_laion(
            table, output, chosen.filters, chosen.rows_per_shard, limit, progress=progress, only=only, replace=replace
        )
    show_result(result, output, as_json)


@sources_app.command("incoming")
def sources_incoming(
    incoming: Annotated[Path, typer.Argument(help="Folder of LAION-schema tables, each a source shard.")],
    output: Annotated[Path, typer.Argument(help="Folder of caption shards.")],
    only: Annotated[str | None, typer.Option(help="Name of one source shard.")] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clean tables that arrived, each into a shard of its name. Example: editfoundry sources incoming data/incoming data/captions."""  # noqa: E501
    from editfoundry.sources.incoming import take_in

    filters = chosen_params(params, profile).captions.filters
    with progress_bar("rows") as progress:
        result = take_in(incoming, output, filters, only, progress)
    show_result(result, output, as_json)


@sources_app.command("internvid")
def sources_internvid(
    table: Annotated[Path, typer.Argument(help="InternVid-schema JSONL, CSV, TSV or Parquet, or folder of Parquet.")],
    output: Annotated[Path, typer.Argument(help="Folder of clip shards.")],
    videos: Annotated[Path, typer.Option(help="Folder of the videos, each named by its id.")],
    download: Annotated[bool, typer.Option(help="Fetch what is not there with yt-dlp (extra: youtube).")] = False,
    allow_private_hosts: Annotated[
        bool, typer.Option(help="Also fetch from addresses of this machine and its network.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Read at most this many rows.")] = None,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find a table's clips. Example: editfoundry sources internvid clips.jsonl data/clips --videos videos."""
    from editfoundry.sources.downloads import Downloader
    from editfoundry.sources.internvid import convert_internvid

    chosen = chosen_params(params, profile).clips
    downloader = Downloader(folder=videos, allow_private_hosts=allow_private_hosts) if download else None
    with progress_bar("rows") as progress:
        result = convert_internvid(
            table, videos, output, chosen.filters, chosen.rows_per_shard, limit, downloader, progress, only, replace
        )
    show_result(result, output, as_json)


@sources_app.command("videos")
def sources_videos(
    videos: Annotated[Path, typer.Argument(help="Folder of videos.")],
    output: Annotated[Path, typer.Argument(help="Folder of clip shards.")],
    parts: Annotated[VideoParts, typer.Option(help="Each file whole, or the shots found in it.")] = VideoParts.WHOLE,
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take videos without a table. Example: editfoundry sources videos holiday data/clips --parts shots."""
    from editfoundry.sources.video_folder import convert_video_folder

    with progress_bar("videos") as progress:
        result = convert_video_folder(videos, output, parts.value, progress=progress, only=only, replace=replace)
    show_result(result, output, as_json)
