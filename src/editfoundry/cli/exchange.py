"""Commands for other projects' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from editfoundry.cli.app import app
from editfoundry.cli.shared import JsonOption, print_facts, show_result
from editfoundry.data import exchange
from editfoundry.data.exchange import ExportFormat, ImportFormat
from editfoundry.errors import BadInputError

EditorFormat = Literal["mgie"]
"""Editors that others released, of which a checkpoint here is made."""


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
        Literal[ImportFormat, EditorFormat],
        typer.Argument(metavar="FORMAT", help="How the folder is laid out (docs/importing.md), or mgie, an editor's."),
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder in that format.")],
    output: Annotated[Path, typer.Argument(help="Folder of triplet shards; with mgie, of the editor.")],
    mllm: Annotated[
        str | None, typer.Option(help="With mgie: the LLaVA that it was trained from, a folder or hub id.")
    ] = None,
    editor: Annotated[
        str, typer.Option(help="With mgie: where autoencoder and scheduler come from, a folder or hub id.")
    ] = "timbrooks/instruct-pix2pix",
    as_json: JsonOption = False,
) -> None:
    """Read others' triplets, or a folder of pairs with a table, into shards; or a released editor into a checkpoint. Example: editfoundry import pairs-folder pictures out."""  # noqa: E501
    if format_ != "mgie":
        if mllm is not None:
            raise BadInputError(f"--mllm is of import mgie alone: {format_} are triplets")
        show_result(exchange.importer(format_)(source, output), output, as_json)
        return
    from editfoundry.editors.families.mgie.importing import import_mgie

    if mllm is None:
        raise BadInputError("import mgie needs --mllm, the LLaVA that the release was trained from")
    print_facts(import_mgie(source, output, mllm, editor), as_json)
