"""The stage ``captioned_pictures``: pictures with captions, for inpainters to learn from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.bounds import check_between
from editfoundry.data.stage_result import StageResult
from editfoundry.data.storage import is_remote, locate
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.sources.caption_stage import TINYWORLD, check_named

LINE = "imagen_editor"
"""Line of the lineage that begins with these pictures."""
INCOMPLETE = "no picture, or no caption"
"""Why a record of a person's own tars is passed over."""
MAX_PICTURES = 10**7
"""Of tinyworld; a hundred days of drawing."""


@dataclass(frozen=True, kw_only=True)
class CaptionedPictureParams:
    """Parameters of the stage ``captioned_pictures``."""

    pictures: str = TINYWORLD
    """``tinyworld``, or where a person's own lie: a folder of WebDataset tars as img2dataset writes them, or
    ``s3://BUCKET/PREFIX``; relative paths start at the project's folder. Empty where a profile leaves it to be
    named."""
    num_pictures: int = 20_000
    """Pictures of tinyworld."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_between(self, 1, MAX_PICTURES, "num_pictures")


def run_captioned_pictures(request: StageRequest) -> StageResult:
    """Draw tinyworld's scenes with their captions and true boxes, or look through a person's own pictures.

    Those stay where they are: the output says where, and is a data set of captioned pictures like any other.

    Raises:
        BadInputError: no pictures are named, none is there, they are the output's own, a tar is damaged, or the output
            holds something else; what the output had stays.
        UnavailableError: somebody else is at work on the output.
    """
    check_captioned_pictures(request)
    params: CaptionedPictureParams = request.params.captioned_pictures
    return _draw(request, params) if params.pictures == TINYWORLD else _look_through(request, params.pictures)


def check_captioned_pictures(request: StageRequest) -> None:
    """Raise BadInputError where no pictures are named, or what is named is not there."""
    pictures = request.params.captioned_pictures.pictures
    if not is_remote(pictures):
        what = "a folder of WebDataset tars, or s3://BUCKET/PREFIX"
        check_named("captioned_pictures", "pictures", pictures, request.root, what)


def _draw(request: StageRequest, params: CaptionedPictureParams) -> StageResult:
    from editfoundry.data.captioned_pictures import TARS_STAGE
    from editfoundry.execution.output_lock import output_lock
    from editfoundry.tinyworld.captioned_scenes import write_captioned_scenes

    with output_lock(request.output, TARS_STAGE):
        write_captioned_scenes(request.output, params.num_pictures, params.seed, progress=request.progress)
    count = params.num_pictures
    return StageResult(num_in=count, num_out=count)


def _look_through(request: StageRequest, pictures: str) -> StageResult:
    from editfoundry.data.captioned_pictures import TARS_STAGE, open_captioned_pictures, point_elsewhere
    from editfoundry.execution.output_lock import output_lock

    address, place = pictures, locate(pictures) if is_remote(pictures) else request.root / pictures
    if not is_remote(pictures) and not Path(pictures).is_absolute():
        address = os.path.relpath(place, request.output)
    with output_lock(request.output, TARS_STAGE):
        found = open_captioned_pictures(place, request.root / ".cache" / "training")
        output = request.output.resolve()
        if any(path.resolve().is_relative_to(output) for path in (place, *found.tars)):
            raise BadInputError(
                f"captioned_pictures.pictures is {pictures}, where this stage writes: name pictures that lie elsewhere"
            )
        point_elsewhere(request.output, address)
    passed_over = {INCOMPLETE: found.num_passed_over} if found.num_passed_over else {}
    return StageResult(num_in=len(found) + found.num_passed_over, num_out=len(found), rejected=passed_over)


CAPTIONED_PICTURES = Stage(
    name="captioned_pictures",
    group="sources",
    output="data/captioned_pictures",
    doing="drawing captioned pictures",
    description="Pictures with captions in WebDataset tars, tinyworld's with the true boxes of what the captions name.",
    config=CaptionedPictureParams,
    run=run_captioned_pictures,
    check=check_captioned_pictures,
    commands=("lineage run captioned_pictures",),
    kinds=("webdataset",),
    line=LINE,
)
