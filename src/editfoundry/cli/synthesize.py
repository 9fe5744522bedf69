"""Commands that make quadruples and edit triplets."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app, synthesize_app
from editfoundry.cli.shared import (
    JsonOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    progress_bar,
    show_result,
)
from editfoundry.errors import BadInputError


class Writer(StrEnum):
    """Who can write quadruples."""

    TINYWORLD = "tinyworld"
    LANGUAGE_MODEL = "language_model"


@app.command()
def quadruples(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[INPUT] OUTPUT",
            help="Caption shards, or a JSON or JSONL of quadruples; then the folder of quadruple shards.",
        ),
    ],
    free: Annotated[
        int | None, typer.Option(metavar="N", help="Let the language model write N from its exemplars; no INPUT.")
    ] = None,
    writer: Annotated[
        Writer | None, typer.Option(help="Who writes; by default what the parameters say, and with --free the model.")
    ] = None,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write quadruples. Example: editfoundry quadruples data/captions data/quadruples."""
    from editfoundry.lineage import stages as lineage

    if len(paths) != (2 if free is None else 1):
        raise BadInputError("give INPUT and OUTPUT, or --free N and OUTPUT alone")
    chosen, output = chosen_params(params, profile), paths[-1]
    if writer is not None:
        chosen = dataclasses.replace(chosen, quadruples=dataclasses.replace(chosen.quadruples, writer=writer.value))
    with progress_bar("shards") as progress:
        if free is not None:
            result = lineage.write_free_quadruples(chosen, free, output, progress)
        else:
            result = lineage.write_caption_quadruples(chosen, paths[0], output, progress)
    show_result(result, output, as_json)


@synthesize_app.command("editworld-text")
def synthesize_editworld_text(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="Shards of quadruples or captions, or a JSON or JSONL of quadruples."),
    ],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Paint, mask, inpaint, refine, judge. Example: editfoundry synthesize editworld-text data/quadruples data/triplets/editworld-text."""  # noqa: E501
    from editfoundry.lineage import stages as lineage

    with progress_bar("shards") as progress:
        result = lineage.synthesize_editworld_text(chosen_params(params, profile), source, output, progress)
    show_result(result, output, as_json)


@synthesize_app.command("frame-pairs")
def synthesize_frame_pairs(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of clip shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the pairs' shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find before and after in clips. Example: editfoundry synthesize frame-pairs data/clips data/frame_pairs."""
    from editfoundry.lineage import stages as lineage

    with progress_bar("shards") as progress:
        result = lineage.mine_frame_pairs(chosen_params(params, profile), source, output, progress)
    show_result(result, output, as_json)


@synthesize_app.command("editworld-video")
def synthesize_editworld_video(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of frame pairs' shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe clips, write instructions. Example: editfoundry synthesize editworld-video data/frame_pairs data/triplets/editworld-video."""  # noqa: E501
    from editfoundry.lineage import stages as lineage

    with progress_bar("shards") as progress:
        result = lineage.synthesize_editworld_video(chosen_params(params, profile), source, output, progress)
    show_result(result, output, as_json)
