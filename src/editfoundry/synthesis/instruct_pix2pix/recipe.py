"""The recipe ``instruct-pix2pix``: pairs painted by prompt-to-prompt, as a stage of the lineage."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.pretrained.fitness import check_caption_judge, check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.caption_stage import CAPTIONS
from editfoundry.synthesis.instruct_pix2pix.config import JUDGE_ROLE, RECIPE, PairConfig

LINE = "instruct_pix2pix"
"""Line of the lineage that begins with these pairs."""


def run_pairs(request: StageRequest) -> StageResult:
    """Paint and choose pairs of each caption pair.

    Raises:
        BadInputError: the input holds no captions, or the output something else.
    """
    from editfoundry.synthesis.instruct_pix2pix.stage import synthesize_pairs

    params = request.params
    return synthesize_pairs(
        request.source,
        request.output,
        params.instruct_pix2pix_pairs,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_pairs(request: StageRequest) -> None:
    """Raise BadInputError where the profile has no model that paints, no CLIP, or none that tells captions apart."""
    profile, roles = load_profile(request.params.profile), request.params.instruct_pix2pix_pairs.roles
    check_models(profile, roles)
    if JUDGE_ROLE in roles:
        check_caption_judge(profile)


INSTRUCT_PIX2PIX_PAIRS = Stage(
    name="instruct_pix2pix_pairs",
    group="triplets",
    output="data/triplets/instruct-pix2pix",
    inputs=(CAPTIONS.name,),
    doing="painting pairs by prompt-to-prompt",
    description="Input image, instruction, output image: both painted from one noise with shared attention, filtered "
    "and ranked by CLIP.",
    config=PairConfig,
    run=run_pairs,
    check=check_pairs,
    synthesize=SynthesizeCommand(
        name=RECIPE,
        help="Paint pairs of two captions by prompt-to-prompt, keep those that CLIP finds right.",
        source="JSONL of caption pairs (input, edit, output), a folder of such or of Parquet tables of pairs, or "
        "tinyworld's captions.",
    ),
    loads_models=True,
    kinds=("pytorch", "webdataset"),
    recipe=RECIPE,
    branch="instruct-pix2pix",
    line=LINE,
)
