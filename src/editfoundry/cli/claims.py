"""The command that tests the papers' claims again."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from editfoundry.cli.app import app
from editfoundry.cli.progress import Tell
from editfoundry.cli.shared import (
    DeviceOption,
    JsonOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    log_lines,
    progress_bar,
)
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.claims.ledger import Report


@app.command()
def claims(
    out: Annotated[Path | None, typer.Option(help="Folder of ledger.md, ledger.json and ledger.html.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Claim to test; may be given several times.")] = None,
    list_claims: Annotated[bool, typer.Option("--list", help="Name the claims and end.")] = False,
    editor: Annotated[
        Path | None, typer.Option(help="EditWorld's editor; by default the shipped one, or one trained here.")
    ] = None,
    mgie: Annotated[
        Path | None,
        typer.Option(
            help="Folder of MGIE's arms, as tinyworld pretrain mgie mgie_lgie mgie_baseline leaves them; by default "
            "they are trained here."
        ),
    ] = None,
    work_dir: Annotated[Path, typer.Option(help="Keeps finished arms.")] = Path(".cache/claims"),
    profile: ProfileOption = None,
    params: ParamsOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Test the papers' claims on tinyworld. Example: editfoundry claims --out reports/claims --only ip2p-clip-filter."""  # noqa: E501
    from editfoundry.claims.ledger import chosen_claims, run_ledger
    from editfoundry.claims.pages import effect_text
    from editfoundry.claims.register import CLAIMS

    if list_claims:
        for claim in CLAIMS.values():
            print(f"{claim.name}: {claim.sentence} ({claim.paper})")
        return
    if out is None:
        raise BadInputError("say where the ledger goes with --out DIR, or name the claims with --list")
    settings = chosen_params(params, profile)
    if device != "auto":
        settings = dataclasses.replace(settings, device=device)
    chosen = [claim.name for claim in chosen_claims(only or ())]
    if not sys.stderr.isatty():
        # The steps of trainings; on a terminal they would tear the bar.
        log_lines()
    for number, name in enumerate(chosen, start=1):
        place = f"[{number}/{len(chosen)}] {name}"
        with progress_bar(f"{place}, edits") as bar:
            ledger = run_ledger(
                out,
                settings,
                only=(name,),
                work_dir=work_dir,
                editor=editor,
                mgie=mgie,
                progress=_edits_of(bar),
            )
        row = next(row for row in ledger["rows"] if row["name"] == name)
        print(f"{place}: {row['verdict']}, {effect_text(row['effect'])}", file=sys.stderr, flush=True)
    if as_json:
        print(json.dumps(ledger))
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("Claim", "Verdict", "Effect [95 %]", "n"):
        table.add_column(heading, justify="right" if heading == "n" else "left")
    for row in ledger["rows"]:
        table.add_row(row["name"], row["verdict"], effect_text(row["effect"]), str(row["effect"]["n"]))
    console = Console()
    console.print(table)
    console.print(f"ledger: {out / 'ledger.html'}", soft_wrap=True)


def _edits_of(bar: Tell) -> Report:
    return lambda _, done, total: bar(done, total)
