"""The ledger as a Markdown page and as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

MISSING = "–"
_HEADER = ("Claim", "Paper", "Verdict", "Effect [95 % interval]", "n", "Arms")


def ledger_markdown(ledger: Mapping[str, Any]) -> str:
    """Return the page; ``ledger`` is what ``ledger.json`` holds."""
    lines = [_HEADER, ["---"] * len(_HEADER), *(_cells(row) for row in ledger["rows"])]
    table = "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in lines)
    about = f"Profile `{ledger['profile']}`, {ledger['machine']}. Every figure here was written by the command."
    return "\n".join(["# Claims ledger", "", about, "", table, *(_section(row) for row in ledger["rows"])])


def ledger_html(ledger: Mapping[str, Any]) -> str:
    """Return the page as one self-contained file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("editfoundry.claims"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["effect"] = effect_text
    return environment.get_template("ledger.html.j2").render(ledger=ledger)


def effect_text(interval: Mapping[str, Any]) -> str:
    """Write an interval, for example ``"+0.312 [+0.250, +0.371]"``; what is no difference has no plus."""
    if interval["value"] is None:
        return MISSING
    sign = "+" if interval.get("is_difference", True) else ""
    value, low, high = (f"{interval[key]:{sign}.3f}".replace("-", "−") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"[{row['claim']}](#{row['name']})", row["paper"], f"**{row['verdict']}**", effect_text(row["effect"]),
        str(row["effect"]["n"]), " → ".join(row["arms"]),
    ]  # fmt: skip


def _section(row: Mapping[str, Any]) -> str:
    first, second = row["arms"]
    lines = [
        f"## {row['name']}", "", f"{row['claim']} ({row['paper']})", "",
        f"- Verdict: **{row['verdict']}**, {effect_text(row['effect'])}, n = {row['effect']['n']}.",
        f"- Arms: {first} → {second}.", f"- Measure: {row['metric']}", f"- Rule: {row['rule']}",
    ]  # fmt: skip
    lines += [f"- {d['label']}: {effect_text(d)}, n = {d['n']}." for d in row["details"]]
    lines += [f"- Limits: {row['limits']}"] if row["limits"] else []
    lines += [f"- {row['note']}"] if row["note"] else []
    return "\n".join([*lines, f"- Command: `{row['command']}`", ""])
