"""Commands that run the whole project: the demo, the services in a browser, and what is put into S3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    JsonOption,
    ParamsOption,
    ProfileOption,
    chosen_params,
    print_facts,
    progress_bar,
    show_summary,
)


@app.command()
def demo(
    root: Annotated[Path, typer.Option(help="Project folder that gets data, checkpoints and reports.")] = Path("."),
    profile: ProfileOption = None,
    params: ParamsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole lineage and print its table. Example: editfoundry demo."""
    from editfoundry.lineage.demo import run_demo
    from editfoundry.lineage.stages import MAIN_LINE, check_params
    from editfoundry.tracking.shipped_files import project_file

    # The parameters' own defaults suit real data; without a file, the demo's are those that are shipped.
    here = Path("params.yaml")
    file = params or (here if here.is_file() and not (root / here).is_file() else project_file(root, "params.yaml"))
    chosen = chosen_params(file, profile)
    check_params(chosen, root.resolve(), file, MAIN_LINE)
    report = run_demo(chosen, root.resolve(), Console(stderr=True), progress_bar)
    show_summary(report, as_json)


@app.command()
def ui(root: Annotated[Path, typer.Option(help="Project folder.")] = Path(".")) -> None:
    """Bring up Dagster, MLflow, reports and S3 on localhost until Ctrl-C. Example: editfoundry ui."""
    from editfoundry.tracking.ui import run_ui

    raise typer.Exit(run_ui(root.resolve()))


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A report, or any other folder.")],
    address: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX; endpoint and keys come from the environment.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a folder into S3. Example: editfoundry publish reports/editworld s3://editfoundry/reports/editworld."""
    from editfoundry.data.storage import upload_folder

    written = upload_folder(folder, address)
    print_facts({"address": address, "num_files": len(written)}, as_json)
