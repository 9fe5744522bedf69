"""The recipe ``editworld-text``: EditWorld's text-to-image branch, as a stage of the lineage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.pretrained.fitness import check_attention_resolution, check_models
from editfoundry.profiles import load_profile
from editfoundry.synthesis.editworld_text.config import RECIPE, TextBranchConfig, roles_of
from editfoundry.synthesis.quadruples.recipe import QUADRUPLES, run_quadruples


def run_editworld_text(request: StageRequest) -> StageResult:
    """Make a triplet shard of each quadruple shard; captions become quadruples first, in ``output/quadruples``.

    Raises:
        BadInputError: the input holds no shard, or the output something else.
    """
    from editfoundry.synthesis.editworld_text.stage import synthesize

    params = request.params
    return synthesize(
        _quadruples_of(request),
        request.output,
        params.editworld_text,
        load_profile(params.profile),
        params.device,
        request.progress,
        request.only,
        request.replace,
    )


def _quadruples_of(request: StageRequest) -> Path:
    """Return the folder of quadruples: the input, or what is written from its captions or its file."""
    from editfoundry.data.output_folder import claim_output
    from editfoundry.data.tables import column_names

    source = request.source
    is_written_out = source.suffix in (".json", ".jsonl")
    if not is_written_out and "instruction" in column_names(source):
        return source
    claim_output(request.output, RECIPE)
    written = replace(request, output=request.output / "quadruples", only=None)
    run_quadruples(written)
    return written.output


def check_editworld_text(request: StageRequest) -> None:
    """Raise BadInputError where the profile's models cannot do the steps that the parameters ask for."""
    config: TextBranchConfig = request.params.editworld_text
    profile = load_profile(request.params.profile)
    check_models(profile, roles_of(config))
    if config.use_mask:
        check_attention_resolution(profile, config.attention_resolution)


EDITWORLD_TEXT = Stage(
    name="editworld_text",
    group="triplets",
    output="data/triplets/editworld-text",
    inputs=(QUADRUPLES.name,),
    doing="painting, masking and inpainting triplets",
    description="Input image, instruction, output image: painted, masked by keyword attention, inpainted, best of N "
    "by CLIP.",
    config=TextBranchConfig,
    run=run_editworld_text,
    check=check_editworld_text,
    synthesize=SynthesizeCommand(
        name=RECIPE,
        help="Paint, mask, inpaint, refine, judge.",
        source="Shards of quadruples or captions, or a JSON or JSONL of quadruples.",
    ),
    loads_models=True,
    kinds=("pytorch", "webdataset"),
    recipe=RECIPE,
    branch="text",
    takes_source_shards=True,
)
