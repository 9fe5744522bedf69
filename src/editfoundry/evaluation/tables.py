"""Base against fine-tuned by category: a table for the terminal and one in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from editfoundry.evaluation.numbers import editor_title, interval_text, is_clear, number
from editfoundry.evaluation.summary import METRICS, editor_names


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return one benchmark's results as a table for the terminal, at most 80 characters wide."""
    table = Table(
        title=f"{summary['benchmark']}: {summary['num_cases']} edits, {_editors(summary)}",
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
        if "difference" in summary:
            gain = _scores(summary["difference"], category)["outcome_accuracy"]
            colour = ("green" if gain["value"] > 0 else "red") if is_clear(gain) else ""
            cells[-2] = Text(str(cells[-2]), style=colour)
        table.add_row(*cells, style="bold" if category is None else None, end_section=category is None)
    return table


def summary_markdown(summary: Mapping[str, Any]) -> str:
    """Return one benchmark's results as a Markdown table, ending with a line break."""
    header = [heading.replace("\n", " ") for heading in _header(summary)]
    header[0] = f"Category ({_editors(summary)})"
    rows = [_row(summary, category) for category in _parts(summary)]
    rows[0] = [f"**{cell}**" for cell in rows[0]]
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in [header, rule, *rows]]
    return "".join(f"| {line} |\n" for line in lines)


def _editors(summary: Mapping[str, Any]) -> str:
    return " → ".join(editor_title(e).lower() for e in editor_names(summary))


def _header(summary: Mapping[str, Any]) -> list[str]:
    header = ["Category", "n", "Outcome\naccuracy", "CLIP score", "Preserved,\ndB"]
    return [*header, "Gain", "95 %\ninterval"] if "difference" in summary else header


def _parts(summary: Mapping[str, Any]) -> list[str | None]:
    return [None, *summary[editor_names(summary)[0]]["by_category"]]


def _row(summary: Mapping[str, Any], category: str | None) -> list[str]:
    scores = [_scores(summary[editor], category) for editor in editor_names(summary)]
    row = [category or "overall", str(scores[0]["outcome_accuracy"]["n"])]
    # One metric's editors share a cell, so that the table fits a terminal.
    row += [" → ".join(number(metric, s[metric]["value"]) for s in scores) for metric in METRICS]
    if "difference" in summary:
        gain = _scores(summary["difference"], category)["outcome_accuracy"]
        row.append(number("outcome_accuracy", gain["value"], signed=True))
        row.append(interval_text("outcome_accuracy", gain, signed=True))
    return row


def _scores(scores: Mapping[str, Any], category: str | None) -> Mapping[str, Any]:
    part: Mapping[str, Any] = scores["overall"] if category is None else scores["by_category"][category]
    return part
