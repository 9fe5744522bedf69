"""Commands for other projects' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    JsonOption,
    show_result,
)
from editfoundry.data import exchange
from editfoundry.data.exchange import ExportFormat, ImportFormat


@app.command()
def export(
    format_: Annotated[ExportFormat, typer.Argument(metavar="FORMAT", help="How the folder will be laid out.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the export.")],
    as_json: JsonOption = False,
) -> None:
    """Write triplets in another project's format. Example: editfoundry export huggingface data/dataset/train out."""
    show_result(exchange.exporter(format_)(source, output), output, as_json)


@app.command("import")
def import_(
    format_: Annotated[
        ImportFormat, typer.Argument(metavar="FORMAT", help="How the folder is laid out: docs/importing.md.")
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder in that format.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    as_json: JsonOption = False,
) -> None:
    """Read others' triplets, or a folder of pairs with a table, into shards. Example: editfoundry import pairs-folder pictures out."""  # noqa: E501
    show_result(exchange.importer(format_)(source, output), output, as_json)
