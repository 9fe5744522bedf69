"""The ledger as a Markdown page and as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editfoundry.claims.shown_arms import shown_items
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.page import render_page

MISSING = "–"
_HEADER = ("Claim", "Paper", "Verdict", "Effect [95 % interval]", "Its control", "n", "Arms")


def ledger_markdown(ledger: Mapping[str, Any]) -> str:
    """Return the page; ``ledger`` is what ``ledger.json`` holds."""
    lines = [_HEADER, ["---"] * len(_HEADER), *(_cells(row) for row in ledger["rows"])]
    table = "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in lines)
    about = f"Profile `{ledger['profile']}`, {ledger['machine']}. Every figure here was written by the command."
    return "\n".join(["# Claims ledger", "", about, "", table, *(_section(row) for row in ledger["rows"])])


def ledger_html(ledger: Mapping[str, Any], output: Path, made: MadeBy) -> str:
    """Return the page as one self-contained file.

    Args:
        ledger: what ``ledger.json`` holds.
        output: the ledger's folder, with the pictures that its rows name.
        made: said at the head.
    """
    shown = {row["name"]: shown_items(output, row) for row in ledger["rows"]}
    values = {"ledger": ledger, "shown": shown, "made": made, "effect": effect_text}
    return render_page("ledger.html.j2", values, "editfoundry.claims")


def effect_text(interval: Mapping[str, Any]) -> str:
    """Write an interval, for example ``"+0.312 [+0.250, +0.371]"``; what is no difference has no plus."""
    if interval["value"] is None:
        return MISSING
    sign = "+" if interval.get("is_difference", True) else ""
    value, low, high = (f"{interval[key]:{sign}.3f}".replace("-", "−") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"[{row['claim']}](#{row['name']})",
        row["paper"],
        f"**{row['verdict']}**",
        effect_text(row["effect"]),
        effect_text(row["controls"][0]) if row["controls"] else MISSING,
        str(row["effect"]["n"]),
        " → ".join(row["arms"]),
    ]


def _section(row: Mapping[str, Any]) -> str:
    first, second = row["arms"]
    lines = [
        f"## {row['name']}",
        "",
        f"{row['claim']} ({row['paper']})",
        "",
        f"- Verdict: **{row['verdict']}**, {effect_text(row['effect'])}, n = {row['effect']['n']}.",
        f"- Arms: {first} → {second}.",
        f"- Measure: {row['metric']}",
        f"- Rule: {row['rule']}",
    ]
    lines += [f"- Control. {d['label']}: {effect_text(d)}, n = {d['n']}." for d in row["controls"]]
    lines += [f"- {d['label']}: {effect_text(d)}, n = {d['n']}." for d in row["details"]]
    lines += [f"- Limits: {row['limits']}"] if row["limits"] else []
    lines += [f"- {row['note']}"] if row["note"] else []
    return "\n".join([*lines, f"- Command: `{row['command']}`", ""])
