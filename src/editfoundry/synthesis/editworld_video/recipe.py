"""The recipe ``editworld-video``: EditWorld's video branch, as a stage of the lineage."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.clip_stage import TINYWORLD_CLIPS
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig, roles_of
from editfoundry.synthesis.frame_pairs.recipe import FRAME_PAIRS

RECIPE = "editworld-video"


def run_editworld_video(request: StageRequest) -> StageResult:
    """Describe the clips of frame pairs, and turn the descriptions into instructions.

    Raises:
        BadInputError: the input holds no shard, or the output something else.
        UnavailableError: the language model did not answer for now.
    """
    from editfoundry.synthesis.editworld_video.stage import synthesize_video

    params = request.params
    return synthesize_video(
        request.source,
        request.output,
        params.editworld_video,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_editworld_video(request: StageRequest) -> None:
    """Raise BadInputError where a role has no model that can play it, or the prompts' file cannot be used."""
    from editfoundry.synthesis.editworld_video.storyline_prompts import load_storyline_prompts

    config: VideoBranchConfig = request.params.editworld_video
    check_models(load_profile(request.params.profile), roles_of(config))
    if config.prompts != "auto":
        load_storyline_prompts(config.prompts)


EDITWORLD_VIDEO = Stage(
    name="editworld_video",
    group="triplets",
    output="data/triplets/editworld-video",
    inputs=(FRAME_PAIRS.name,),
    further_inputs=(TINYWORLD_CLIPS,),
    doing="describing clips, writing their instructions",
    description="First frame, instruction, last frame: clips described, and the descriptions turned into instructions.",
    config=VideoBranchConfig,
    run=run_editworld_video,
    check=check_editworld_video,
    synthesize=SynthesizeCommand(
        name=RECIPE,
        help="Describe clips, write instructions.",
        source="Folder of frame pairs' shards.",
    ),
    loads_models=True,
    kinds=("pytorch", "webdataset"),
    recipe=RECIPE,
    branch="video",
)
