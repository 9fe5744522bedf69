"""A comparison as an HTML file, and as tables for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table as TerminalTable
from rich.text import Text

from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.compare import BenchmarkComparison, Comparison
from editfoundry.evaluation.reports.metric_text import MIN_ITEMS_TO_TELL
from editfoundry.evaluation.reports.page import render_page, write_text
from editfoundry.evaluation.reports.report_tables import Table

_COLOURS = {"better": "green", "worse": "red"}


def write_comparison(path: Path, comparison: Comparison, title: str, made: MadeBy) -> None:
    """Write the comparison as one HTML file, atomically."""
    write_text(
        path,
        render_page(
            "compare.html.j2",
            {"comparison": comparison, "title": title, "min_items": MIN_ITEMS_TO_TELL, "made": made},
        ),
    )


def terminal_tables(one: BenchmarkComparison) -> list[TerminalTable]:
    """Return the differences over the whole benchmark, metric by pair; the means where there are none."""
    if not one.tables:
        return [table_for_terminal(one.means)]
    rows = [(table.title, table.rows[0].cells) for table in one.tables]
    shown = TerminalTable(title=one.benchmark, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    shown.add_column("paired difference")
    for column in one.tables[0].columns:
        shown.add_column(column, justify="right", overflow="fold")
    for title, cells in rows:
        texts = [Text(f"{c.text}\n{c.range}\nn {c.n}", style=_COLOURS.get(c.css, "")) for c in cells]
        shown.add_row(title, *texts)
    return [shown]


def table_for_terminal(table: Table) -> TerminalTable:
    """Return a table of figures with their intervals and numbers, where they have any."""
    shown = TerminalTable(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for column in ("", *table.columns):
        shown.add_column(column, overflow="fold")
    for row in table.rows:
        below = [(cell.text, cell.range, "" if cell.n is None else f"n {cell.n}") for cell in row.cells]
        shown.add_row(row.label, *("\n".join(filter(None, lines)) for lines in below))
    return shown
