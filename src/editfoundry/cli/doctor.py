"""The command that says what a profile needs and whether it runs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from editfoundry.cli.app import app
from editfoundry.cli.shared import JsonOption, ParamsOption, ProfileOption, chosen_params

if TYPE_CHECKING:
    from editfoundry.lineage.doctor import Examination


@app.command()
def doctor(
    profile: ProfileOption = None,
    params: ParamsOption = None,
    memory: Annotated[
        float | None, typer.Option(min=1, help="Suppose a GPU of so many GiB in the place of this machine's devices.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a profile needs, what is here, and which stages can run. Example: editfoundry doctor --profile paper."""
    from editfoundry.lineage.doctor import GIB, examine

    found = examine(chosen_params(params, profile), Path.cwd(), None if memory is None else int(memory * GIB))
    if as_json:
        print(json.dumps(found.to_dict()))
        return
    console = Console()
    console.print(_models(found))
    for line in (f"{role.role}: {role.fetch}" for role in found.roles if role.fetch):
        console.print(line, markup=False, soft_wrap=True, highlight=False)
    console.print(_stages(found))
    for stage in found.stages:
        if stage.reason:
            console.print(f"{stage.stage}: {stage.verdict}: {stage.reason}", markup=False, soft_wrap=True)


def _models(found: Examination) -> Table:
    from editfoundry.lineage.doctor import gib

    table = Table(title=f"Models of the profile {found.profile}")
    for name in ("role", "model", "licence", "on disk", "here"):
        table.add_column(name, overflow="fold")
    for role in found.roles:
        size = "unknown" if role.num_bytes_on_disk is None else gib(role.num_bytes_on_disk)
        here = "yes" if role.is_here else "no"
        table.add_row(role.role, role.model, role.license, size, here)
    return table


def _stages(found: Examination) -> Table:
    from editfoundry.lineage.doctor import gib

    devices = ", ".join(f"{device.name} ({gib(device.num_bytes)})" for device in found.devices)
    table = Table(title=f"Stages on {devices}, {found.precision}")
    for name in ("stage", "phase", "models there", "weights", "at work", "together", "verdict"):
        table.add_column(name, overflow="fold")
    for stage in found.stages:
        table.add_row(stage.stage, *(("",) * 5), stage.verdict)
        for phase in stage.phases:
            sizes = (gib(phase.weights), gib(phase.working), gib(phase.needed))
            table.add_row("", phase.name, ", ".join(phase.resident), *sizes, "")
    return table
