"""The recipe ``emu-edit``: pairs of many tasks, as a stage of a line of its own."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.pretrained.fitness import check_caption_judge, check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.caption_stage import CAPTIONS
from editfoundry.synthesis.emu_edit.config import RECIPE, EmuPairConfig

LINE = "emu_edit"
"""Line of the lineage that begins with these pairs."""


def run_emu_pairs(request: StageRequest) -> StageResult:
    """Write edits of each caption, make their pairs and choose among them.

    Raises:
        BadInputError: the input holds no captions, or the output something else.
        UnavailableError: the language model did not answer for now.
    """
    from editfoundry.synthesis.emu_edit.stage import synthesize_emu_pairs

    params = request.params
    return synthesize_emu_pairs(
        request.source,
        request.output,
        params.emu_edit_pairs,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_emu_pairs(request: StageRequest) -> None:
    """Raise BadInputError where the profile lacks a model that the tasks or the filters take, or the exemplars fail."""
    from editfoundry.synthesis.emu_edit.agent_exemplars import load_task_exemplars

    config: EmuPairConfig = request.params.emu_edit_pairs
    profile = load_profile(request.params.profile)
    check_models(profile, config.roles)
    if config.caption_contrast is not None:
        check_caption_judge(profile)
    if config.writer == "language_model":
        load_task_exemplars(config.agent.exemplars)


EMU_EDIT_PAIRS = Stage(
    name="emu_edit_pairs",
    group="triplets",
    output="data/triplets/emu-edit",
    inputs=(CAPTIONS.name,),
    doing="making pairs of Emu Edit's tasks",
    description="Input image, instruction, output image of many tasks: within masks that are found before painting, by "
    "inpainting, by arithmetic or by what a tool reads, then filtered by CLIP, depth and the detector.",
    config=EmuPairConfig,
    run=run_emu_pairs,
    check=check_emu_pairs,
    synthesize=SynthesizeCommand(
        name=RECIPE,
        help="Make pairs of Emu Edit's tasks from captions: edits are written, painted within masks, and filtered.",
        source="Folder of caption shards, or one of them.",
    ),
    loads_models=True,
    kinds=("pytorch", "webdataset"),
    recipe=RECIPE,
    branch="emu-edit",
    line=LINE,
)
