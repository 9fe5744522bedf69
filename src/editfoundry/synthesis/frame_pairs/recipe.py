"""The stage ``frame_pairs``: before and after of what happens in each clip."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.clip_stage import CLIPS, TINYWORLD_CLIPS
from editfoundry.synthesis.frame_pairs.config import FramePairConfig


def run_frame_pairs(request: StageRequest) -> StageResult:
    """Make a shard of frame pairs of each shard of clips.

    Raises:
        BadInputError: the input holds no shard, or the output something else.
    """
    from editfoundry.synthesis.frame_pairs.stage import mine_frame_pairs

    params = request.params
    return mine_frame_pairs(
        request.source,
        request.output,
        params.frame_pairs,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_frame_pairs(request: StageRequest) -> None:
    """Raise BadInputError where no model tells whether two frames show the same things."""
    check_models(load_profile(request.params.profile), ("clip",))


FRAME_PAIRS = Stage(
    name="frame_pairs",
    group="triplets",
    output="data/frame_pairs",
    inputs=(CLIPS.name,),
    further_inputs=(TINYWORLD_CLIPS,),
    doing="choosing before and after in each clip",
    description="Before and after of what happens in each clip: sharp, of one place, with no cut between.",
    config=FramePairConfig,
    run=run_frame_pairs,
    check=check_frame_pairs,
    synthesize=SynthesizeCommand(
        name="frame-pairs",
        help="Find before and after in clips.",
        source="Folder of clip shards.",
        output="Folder of the pairs' shards.",
    ),
    loads_models=True,
    kinds=("webdataset",),
)
