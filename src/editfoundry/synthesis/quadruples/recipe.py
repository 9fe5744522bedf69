"""The stage ``quadruples``: a quadruple for each caption to which something can happen."""

from __future__ import annotations

from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.caption_stage import CAPTIONS
from editfoundry.synthesis.quadruples.config import QuadrupleConfig


def run_quadruples(request: StageRequest) -> StageResult:
    """Write quadruples from caption shards, or import a JSON or JSONL file of quadruples.

    Raises:
        BadInputError: there is no such input, or it cannot be used, or the output holds something else.
        UnavailableError: the language model did not answer for now.
    """
    config: QuadrupleConfig = request.params.quadruples
    source, output = request.source, request.output
    if not source.exists():
        raise BadInputError(f"{source}: no such file or folder")
    if source.is_file():
        from editfoundry.synthesis.quadruples.importing import import_quadruples

        return import_quadruples(source, output, request.replace)
    if config.writer == "tinyworld":
        from editfoundry.synthesis.quadruples.stage import write_quadruples
        from editfoundry.tinyworld.quadruples import TinyworldWriter

        parameters = ["tinyworld", {"seed": config.seed}]
        return write_quadruples(
            source, output, TinyworldWriter(config.seed), parameters, request.only, request.progress, request.replace
        )
    from editfoundry.synthesis.quadruples.model_stage import write_model_quadruples

    profile = load_profile(request.params.profile)
    return write_model_quadruples(
        source, output, config, profile, request.params.device, request.progress, request.only, request.replace
    )


def check_quadruples(request: StageRequest) -> None:
    """Raise BadInputError where nobody can write them, or the exemplars' file cannot be used."""
    from editfoundry.synthesis.quadruples.writing import Writing

    config: QuadrupleConfig = request.params.quadruples
    if config.writer == "language_model":
        check_models(load_profile(request.params.profile), ("language_model",))
    if config.exemplars != "auto":
        Writing.of(config, config.exemplars)


QUADRUPLES = Stage(
    name="quadruples",
    group="sources",
    output="data/quadruples",
    inputs=(CAPTIONS.name,),
    doing="writing instructions and output captions",
    description="World instructions: input caption, instruction, output caption, and the keywords of what must change.",
    config=QuadrupleConfig,
    run=run_quadruples,
    check=check_quadruples,
    commands=("quadruples {sources[0]} {output}",),
    loads_models=True,
    kinds=("parquet",),
    takes_source_shards=True,
)
