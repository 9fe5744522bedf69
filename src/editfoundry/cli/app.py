"""The command line's groups; the modules beside this one fill them."""

from __future__ import annotations

import typer

_HELP = "The command editfoundry: one command a stage, plus edit, demo and ui."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich", help=_HELP)
sources_app = typer.Typer(no_args_is_help=True, help="Bring raw captions in.")
synthesize_app = typer.Typer(no_args_is_help=True, help="Make edit triplets.")
tinyworld_app = typer.Typer(no_args_is_help=True, help="The embedded world: pictures, tables, models.")
app.add_typer(sources_app, name="sources")
app.add_typer(synthesize_app, name="synthesize")
app.add_typer(tinyworld_app, name="tinyworld")
