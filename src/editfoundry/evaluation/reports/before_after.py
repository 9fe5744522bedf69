"""Two or three editors by category, one after the other: a table for the terminal and one in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from editfoundry.evaluation.reports.metric_text import decimal_text, is_clear
from editfoundry.evaluation.reports.run_results import RIGHT, SHARP

BASE = "base"
"""What the lineage's report calls the editor before its fine-tuning."""
FINE_TUNED = "fine_tuned"
POST_EDITED = "post_edited"
"""The fine-tuned editor followed by EditWorld's post-edit."""
GAIN = f"{FINE_TUNED} - {BASE}"
"""Key of their paired difference."""
EDITOR_TITLES = {BASE: "Base", FINE_TUNED: "Fine-tuned", POST_EDITED: "Post-edited"}
_COLUMNS = {
    RIGHT: ("Right", 2),
    SHARP: ("Sharp", 2),
    "preservation_psnr": ("Preserved,\ndB", 1),
}
"""Metric -> heading and decimals."""


def editor_title(name: str) -> str:
    """Return an editor's name as headings write it."""
    return EDITOR_TITLES.get(name, name)


def terminal_table(summary: Mapping[str, Any]) -> Table:
    """Return a run's right and sharp edits and its preservation, at most 80 characters wide for two editors.

    Args:
        summary: as `summarise_run` returns it, of a benchmark whose truth is known.
    """
    table = Table(
        title=f"{summary['benchmark']}: {summary['num_items']} edits, {_editors(summary)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
    )
    for heading in _header(summary):
        table.add_column(heading, justify="left" if heading == "Category" else "right")
    for category in _parts(summary):
        cells: list[str | Text] = list(_row(summary, category))
        if GAIN in summary["paired"]:
            gain = _scores(summary["paired"][GAIN], category)[RIGHT]
            colour = ("green" if gain["value"] > 0 else "red") if is_clear(gain) else ""
            cells[-2] = Text(str(cells[-2]), style=colour)
        table.add_row(*cells, style="bold" if category is None else None, end_section=category is None)
    return table


def markdown_table(summary: Mapping[str, Any]) -> str:
    """Return the same as a Markdown table, ending with a line break."""
    header = [heading.replace("\n", " ") for heading in _header(summary)]
    header[0] = f"Category ({_editors(summary)})"
    rows = [_row(summary, category) for category in _parts(summary)]
    rows[0] = [f"**{cell}**" for cell in rows[0]]
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in [header, rule, *rows]]
    return "".join(f"| {line} |\n" for line in lines)


def _editors(summary: Mapping[str, Any]) -> str:
    return " → ".join(editor_title(editor).lower() for editor in summary["editors"])


def _header(summary: Mapping[str, Any]) -> list[str]:
    header = ["Category", "n", *(heading for heading, _ in _COLUMNS.values())]
    return [*header, "Gain", "95 %\ninterval"] if GAIN in summary["paired"] else header


def _parts(summary: Mapping[str, Any]) -> list[str | None]:
    return [None, *summary[summary["editors"][0]]["by_category"]]


def _row(summary: Mapping[str, Any], category: str | None) -> list[str]:
    scores = [_scores(summary[editor], category) for editor in summary["editors"]]
    row = [category or "overall", str(scores[0][RIGHT]["n"])]
    # One metric's editors share a cell, so that the table fits a terminal.
    row += [
        " → ".join(decimal_text(s[metric]["value"], decimals) for s in scores)
        for metric, (_, decimals) in _COLUMNS.items()
    ]
    if GAIN in summary["paired"]:
        gain = _scores(summary["paired"][GAIN], category)[RIGHT]
        value, low, high = (decimal_text(gain[key], 2, signed=True) for key in ("value", "low", "high"))
        row += [value, f"{low} to {high}"]
    return row


def _scores(scores: Mapping[str, Any], category: str | None) -> Mapping[str, Any]:
    part: Mapping[str, Any] = scores["overall"] if category is None else scores["by_category"][category]
    return part
