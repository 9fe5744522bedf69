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

GPU_SIZES = (24, 40, 80)
"""GiB of common GPUs."""


@app.command()
def doctor(
    profile: ProfileOption = None,
    params: ParamsOption = None,
    memory: Annotated[
        float | None, typer.Option(min=1, help="Suppose a GPU of so many GiB in the place of this machine's devices.")
    ] = None,
    training: Annotated[
        Path | None, typer.Option(help="Say instead what a GPU needs for a training, one of the family mgie.")
    ] = None,
    num_processes: Annotated[int, typer.Option(min=1, help="With --training: GPUs that share its batch.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Say what a profile needs, what is here, and which stages can run. Example: editfoundry doctor --profile paper."""
    if training is not None:
        _show_training(training, num_processes, as_json)
        return
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


def _show_training(path: Path, num_processes: int, as_json: bool) -> None:
    from editfoundry.editors.train import read_training_config, training_memory
    from editfoundry.lineage.doctor import GIB, USABLE, gib

    rows = training_memory(read_training_config(path), num_processes)
    if as_json:
        print(json.dumps([{"label": r.label, "num_samples": r.num_samples, "bytes": dict(r.parts)} for r in rows]))
        return
    names = list(rows[0].parts)
    table = Table(title=f"{path}: GiB of each of {num_processes} GPU{'s' if num_processes > 1 else ''}")
    for name in ("settings", "samples", *names, "together", "fits into"):
        table.add_column(name, overflow="fold")
    for row in rows:
        fits = next((f"{size} GiB" for size in GPU_SIZES if row.num_bytes <= USABLE * size * GIB), "none")
        table.add_row(
            row.label, str(row.num_samples), *(gib(row.parts[name]) for name in names), gib(row.num_bytes), fits
        )
    Console().print(table)


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
