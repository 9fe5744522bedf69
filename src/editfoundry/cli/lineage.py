"""Commands about the lineage itself: what is written from the stages' records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import lineage_app
from editfoundry.cli.shared import JsonOption, ProfileOption, print_facts


@lineage_app.command("write-dvc")
def lineage_write_dvc(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("dvc.yaml"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the file is not what would be written.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write dvc.yaml from the stages' records. Example: editfoundry lineage write-dvc."""
    from editfoundry.lineage.dvc_file import is_current, write_dvc
    from editfoundry.lineage.stages import STAGES

    if check:
        current = is_current(file)
        print_facts({"file": str(file), "current": current}, as_json)
        raise typer.Exit(0 if current else 1)
    write_dvc(file)
    print_facts({"file": str(file), "stages": len(STAGES)}, as_json)


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
