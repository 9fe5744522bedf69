"""The command that says what a profile needs and whether it runs here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from editfoundry.cli.app import app
from editfoundry.cli.shared import JsonOption, ParamsOption, ProfileOption, chosen_params
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.lineage.doctor import Examination

GPU_SIZES = (24, 40, 80)
"""GiB of common GPUs."""
WIDE = 120
"""Columns of a terminal that has room for the names of a phase's models."""


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

    if memory is not None and not math.isfinite(memory * GIB):
        raise BadInputError(f"--memory is {memory:g}, but must be a finite number of GiB")
    found = examine(chosen_params(params, profile), Path.cwd(), None if memory is None else int(memory * GIB))
    if as_json:
        print(json.dumps(found.to_dict()))
        return
    console = Console()
    console.print(_models(found))
    for line in (f"{role.role}: {role.fetch}" for role in found.roles if role.fetch):
        console.print(line, markup=False, soft_wrap=True, highlight=False)
    console.print(_stages(found, has_room=console.width >= WIDE))
    for line in _verdicts(found):
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def _show_training(path: Path, num_processes: int, as_json: bool) -> None:
    from editfoundry.editors.train import read_training_config, training_memory
    from editfoundry.lineage.doctor import GIB, USABLE

    rows = training_memory(read_training_config(path), num_processes)
    if as_json:
        print(json.dumps([{"label": r.label, "num_samples": r.num_samples, "bytes": dict(r.parts)} for r in rows]))
        return
    title = f"{path}: GiB of each of {num_processes} GPU{'s' if num_processes > 1 else ''}"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for number, _ in enumerate(rows, start=1):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_row("samples at a time", *(str(row.num_samples) for row in rows))
    for name in rows[0].parts:
        table.add_row(name, *(f"{row.parts[name] / GIB:.1f}" for row in rows))
    table.add_row("together", *(f"{row.num_bytes / GIB:.1f}" for row in rows))
    sizes = [next((str(size) for size in GPU_SIZES if row.num_bytes <= USABLE * size * GIB), "none") for row in rows]
    table.add_row("fits into", *sizes)
    Console().print(table)
    for number, row in enumerate(rows, start=1):
        print(f"{number}: {row.label}")


def _models(found: Examination) -> Table:
    from editfoundry.lineage.doctor import gib

    licensed = any(role.license for role in found.roles)
    table = Table(title=f"Models of the profile {found.profile}", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("role", no_wrap=True)
    for name in ("model", *(["licence"] if licensed else []), "on disk", "here"):
        table.add_column(name, overflow="fold")
    for role in found.roles:
        size = "unknown" if role.num_bytes_on_disk is None else gib(role.num_bytes_on_disk)
        told = [role.model.removesuffix("@main"), *([role.license] if licensed else []), size]
        table.add_row(role.role, *told, "yes" if role.is_here else "no")
    return table


def _stages(found: Examination, has_room: bool) -> Table:
    """Return a row for each stage, and below it one for each phase; which models are there takes a wide terminal."""
    from editfoundry.lineage.doctor import gib

    devices = ", ".join(f"{device.name} ({gib(device.num_bytes)})" for device in found.devices)
    table = Table(title=f"Stages on {devices}, {found.precision}", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("stage, its phases", no_wrap=True)
    for name in ("weights", "at work", "together"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("verdict", *(["models there"] if has_room else [])):
        table.add_column(name)
    for stage in found.stages:
        table.add_row(stage.stage, "", "", "", stage.verdict)
        for phase in stage.phases:
            sizes = (gib(phase.weights), gib(phase.working), gib(phase.needed))
            table.add_row(f"  {phase.name}", *sizes, "", *([", ".join(phase.resident)] if has_room else []))
    return table


def _verdicts(found: Examination) -> list[str]:
    """Return a line for each stage that cannot run here, or one that says that all can."""
    from editfoundry.lineage.doctor import READY

    hindered = [f"{one.stage}: {one.verdict}: {one.reason}" for one in found.stages if one.verdict != READY]
    if hindered:
        return hindered
    largest = max(found.stages, key=lambda stage: stage.needed)
    return [f"every stage can run here; {largest.reason} ({largest.stage})"]
