"""The command line's groups and their order in ``--help``; the modules beside this one fill them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

PANELS = {
    "Make data": (
        "sources", "quadruples", "instructions", "synthesize", "import", "express", "score", "curate", "curation-sheet",
        "dataset-report", "check-leaks", "export",
    ),
    "Train": ("train",),
    "Edit and evaluate": ("edit", "inpaint", "sweep", "evaluate", "trade-off"),
    "Reports": ("report", "compare", "ratings", "claims"),
    "Project": ("init", "doctor", "demo", "ui", "publish", "lineage", "tinyworld"),
}  # fmt: skip
"""Panels of ``--help`` and their commands, in the order in which a person uses them."""
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
_KEPT = "what is finished is kept, and the same command goes on from there"


class _Commands(TyperGroup):
    """Lists the commands in the order of `PANELS`, and says so when Ctrl-C ends one."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        order = list(_PANEL_OF)
        for name in sorted(self.commands, key=lambda name: order.index(name) if name in order else len(order)):
            # What is put in last is listed last.
            command = self.commands.pop(name)
            command.rich_help_panel = _PANEL_OF.get(name)  # type: ignore[attr-defined]
            self.commands[name] = command

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            print(f"interrupted: {str(error) or _KEPT}", file=sys.stderr)
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
sources_app = typer.Typer(no_args_is_help=True, help="Bring raw captions and videos in.")
synthesize_app = typer.Typer(no_args_is_help=True, help="Make edit triplets, with a recipe's command.")
instructions_app = typer.Typer(no_args_is_help=True, help="Let a language model write instructions for captions.")
ratings_app = typer.Typer(no_args_is_help=True, help="Let people rate edits, and say what their ratings come to.")
lineage_app = typer.Typer(no_args_is_help=True, help="What follows from the stages' records.")
tinyworld_app = typer.Typer(no_args_is_help=True, help="The embedded world: pictures, tables, models.")
app.add_typer(sources_app, name="sources")
app.add_typer(synthesize_app, name="synthesize")
app.add_typer(instructions_app, name="instructions")
app.add_typer(ratings_app, name="ratings")
app.add_typer(lineage_app, name="lineage")
app.add_typer(tinyworld_app, name="tinyworld")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"editfoundry {version('editfoundry')}")
        raise typer.Exit()


@app.callback()
def editfoundry(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Make edit triplets, train editors on them, and measure what they are worth. `editfoundry demo` does it all."""
