"""Commands that make quadruples and edit triplets; those of ``synthesize`` are made from the recipes' records."""

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app, synthesize_app
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
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest, SynthesizeCommand
from editfoundry.lineage.stages import STAGES, stage_named


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
    only: OnlyOption = None,
    replace: ReplaceOption = False,
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write quadruples. Example: editfoundry quadruples data/captions data/quadruples."""
    if len(paths) != (2 if free is None else 1):
        raise BadInputError("give INPUT and OUTPUT, or --free N and OUTPUT alone")
    chosen, output = chosen_params(params, profile), paths[-1]
    if writer is not None:
        chosen = dataclasses.replace(chosen, quadruples=dataclasses.replace(chosen.quadruples, writer=writer.value))
    with progress_bar("records") as progress:
        if free is not None:
            from editfoundry.profiles import load_profile
            from editfoundry.synthesis.quadruples.model_stage import write_free_quadruples

            roles = load_profile(chosen.profile)
            result = write_free_quadruples(
                free, output, chosen.quadruples, roles, chosen.device, progress, only, replace
            )
        else:
            request = StageRequest(
                params=chosen, sources=(paths[0],), output=output, progress=progress, only=only, replace=replace
            )
            result = _counts(stage_named("quadruples"), request)
    show_result(result, output, as_json)


def _add_command(stage: Stage, command: SynthesizeCommand) -> None:
    """Add the command of a record; its example names the lineage's own folders."""
    [source] = (stage_named(name).output for name in stage.inputs)
    text = f"{command.help} Example: editfoundry synthesize {command.name} {source} {stage.output}."
    synthesize_app.command(command.name, help=text)(_synthesize(stage, command))


def _synthesize(stage: Stage, command: SynthesizeCommand) -> Callable[..., None]:
    # Annotations are not postponed in this module: as text, they could not name this function's arguments.
    def synthesize(
        source: Annotated[Path, typer.Argument(metavar="INPUT", help=command.source)],
        output: Annotated[Path, typer.Argument(help=command.output)],
        only: OnlyOption = None,
        replace: ReplaceOption = False,
        profile: ProfileOption = None,
        params: ParamsOption = None,
        as_json: JsonOption = False,
    ) -> None:
        with progress_bar("records") as progress:
            request = StageRequest(
                params=chosen_params(params, profile),
                sources=(source,),
                output=output,
                progress=progress,
                only=only,
                replace=replace,
            )
            result = _counts(stage, request)
        show_result(result, output, as_json)

    return synthesize


def _counts(stage: Stage, request: StageRequest) -> StageResult:
    result = stage.run(request)
    assert isinstance(result, StageResult)
    return result


for _stage in STAGES:
    if _stage.synthesize is not None:
        _add_command(_stage, _stage.synthesize)
