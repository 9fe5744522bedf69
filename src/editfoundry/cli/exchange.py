"""Commands for other projects' formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import (
    JsonOption,
    show_result,
)


class Exchange(StrEnum):
    """Other projects' formats."""

    EDITWORLD = "editworld"
    INSTRUCT_PIX2PIX = "instruct-pix2pix"
    HUGGINGFACE = "huggingface"


@app.command()
def export(
    exchange: Annotated[Exchange, typer.Argument(metavar="FORMAT", help="editworld, instruct-pix2pix, huggingface.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Triplet shards.")],
    output: Annotated[Path, typer.Argument(help="Folder of the export.")],
    as_json: JsonOption = False,
) -> None:
    """Write triplets in another project's format. Example: editfoundry export huggingface data/dataset/train out."""
    from editfoundry.data import exchange as formats

    show_result(formats.exporter(exchange.value)(source, output), output, as_json)


@app.command("import")
def import_(
    exchange: Annotated[Exchange, typer.Argument(metavar="FORMAT", help="editworld, instruct-pix2pix, huggingface.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder in that format.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards.")],
    as_json: JsonOption = False,
) -> None:
    """Read another project's triplets into shards. Example: editfoundry import editworld EditWorld/datasets out."""
    from editfoundry.data import exchange as formats

    show_result(formats.importer(exchange.value)(source, output), output, as_json)
