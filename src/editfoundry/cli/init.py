"""The command that starts a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import JsonOption, ProfileOption, print_facts


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one to make.")] = Path("."),
    with_git: Annotated[bool, typer.Option("--git/--no-git", help="Make it a Git repository.")] = True,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a project: parameters, stages, settings of DVC and Dagster. Example: editfoundry init my-editor."""
    from editfoundry.lineage.new_project import write_project
    from editfoundry.profiles import DEFAULT_PROFILE

    written = write_project(folder, with_git, profile or DEFAULT_PROFILE)
    names = [path.relative_to(folder).as_posix() for path in written]
    if as_json:
        print_facts({"project": str(folder), "files": names}, as_json)
        return
    print(f"project: {folder}\nfiles: {', '.join(names)}")
    enter = "" if folder.resolve() == Path.cwd() else f"cd {folder}, then "
    if profile not in (None, DEFAULT_PROFILE):
        print(f"next: {enter}name your sources in params.yaml, editfoundry doctor says what is missing")
        return
    print(f"next: {enter}editfoundry demo runs all of it on tinyworld, editfoundry ui shows it in a browser")
