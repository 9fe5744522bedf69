"""Commands about the lineage itself: what is written from the stages' records."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from editfoundry.cli.app import lineage_app
from editfoundry.cli.shared import (
    JsonOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    params_file,
    print_facts,
    progress_bar,
)
from editfoundry.errors import BadInputError


@lineage_app.command("write-dvc")
def lineage_write_dvc(
    file: Annotated[Path | None, typer.Argument(help="The main line's file. [default: dvc.yaml]")] = None,
    line: Annotated[
        str, typer.Option(help="A line beside the main one, such as instruct_pix2pix: lines/LINE/dvc.yaml.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the file is not what would be written.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write dvc.yaml from the stages' records. Example: editfoundry lineage write-dvc --line instruct_pix2pix."""
    from editfoundry.lineage.dvc_file import dvc_file, is_current, write_dvc
    from editfoundry.lineage.stages import stages_of

    if line and file is not None:
        raise BadInputError(f"{file}: the file of a line of its own lies at {dvc_file(line)}; leave it out")
    stages, path = stages_of(line), file or Path(dvc_file(line))
    if check:
        current = is_current(path, line)
        print_facts({"file": str(path), "current": current}, as_json)
        raise typer.Exit(0 if current else 1)
    write_dvc(path, line)
    print_facts({"file": str(path), "stages": len(stages)}, as_json)


@lineage_app.command("write-params")
def lineage_write_params(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("params.yaml"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the file is not what would be written.")
    ] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write params.yaml as a profile brings it. Example: editfoundry lineage write-params --profile paper."""
    from editfoundry.lineage.params_file import params_text, write_params
    from editfoundry.profiles import DEFAULT_PROFILE

    chosen = profile or DEFAULT_PROFILE
    if check:
        current = file.is_file() and file.read_text(encoding="utf-8") == params_text(chosen)
        print_facts({"file": str(file), "current": current}, as_json)
        raise typer.Exit(0 if current else 1)
    write_params(file, chosen)
    print_facts({"file": str(file), "profile": chosen}, as_json)


@lineage_app.command("run")
def lineage_run(
    names: Annotated[
        list[str],
        typer.Argument(metavar="STAGE...", help="Stages by name, as in Dagster, in order."),
    ],
    root: Annotated[Path, typer.Option(help="The project's folder.")] = Path("."),
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run stages on the project's own folders. Example: editfoundry lineage run instruct_pix2pix_pairs instruct_pix2pix."""  # noqa: E501
    from editfoundry.data.stage_result import StageResult
    from editfoundry.lineage.stages import STAGES, check_params, run_stage, stage_named

    known = [stage.name for stage in STAGES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInputError(f"no stage {unknown[0]!r}; there are {', '.join(known)}")
    chosen, stages = chosen_params(params, profile), [stage_named(name) for name in names]
    check_params(chosen, root.resolve(), params_file(params), stages)
    facts: dict[str, Any] = {}
    for stage in stages:
        with nullcontext() if stage.draws_progress else progress_bar(stage.name) as progress:
            result = run_stage(stage.name, chosen, root.resolve(), progress)
        if isinstance(result, StageResult):
            facts[stage.name] = f"{result.num_out} kept, {result.num_rejected} dropped"
        else:
            facts[stage.name] = str(result)
    print_facts(facts, as_json)
