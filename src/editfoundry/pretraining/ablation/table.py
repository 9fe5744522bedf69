"""The ablation as a Markdown page and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

MISSING = "–"
_HEADER = (
    "Arm", "Made", "Kept", "Right, all made", "Right, kept", "Right, dropped", "Difference, all", "Difference, kept",
    "Identity", "Preserved, dB", "s per triplet",
)  # fmt: skip
_SHOWN = ("Made", "Kept", "Right, all made", "Right, kept", "Difference, kept")
_NOTES = """Brackets hold 95 % bootstrap intervals (quadruples are resampled). *Right*: the output picture shows the
outcome that its caption names, by tinyworld's ground truth. *Kept*: the data set's thresholds are passed; an arm
without judge has CLIP's alone. *Difference*: this arm less the full branch, in percentage points, on the same
quadruples with the same noise. *Identity*: CLIP similarity of the unedited object in both pictures. *Preserved*: PSNR
against the input picture outside of what truly changes. Seconds include the loading of models.
"""


def ablation_markdown(summary: Mapping[str, Any]) -> str:
    """Return the page; ``summary`` is what ``ablation.json`` holds."""
    rows = [_row(arm, first=number == 0) for number, arm in enumerate(summary["arms"])]
    rule = ["---", *["---:"] * (len(_HEADER) - 1)]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in (_HEADER, rule, *rows))
    passed_over = f" ({summary['num_passed_over']} without a known outcome passed over)"
    about = (
        f"{summary['num_quadruples']} quadruples{passed_over if summary['num_passed_over'] else ''}, profile "
        f"`{summary['profile']}`, {summary['machine']}."
    )
    left_out = "".join(f"- `{name}` is left out: {reason}\n" for name, reason in summary["left_out"].items())
    parts = ["# Ablation of the text-to-image branch", about, table.rstrip(), _NOTES.rstrip(), left_out.rstrip()]
    return "\n\n".join(part for part in parts if part) + "\n"


def terminal_table(summary: Mapping[str, Any]) -> Table:
    """Return what a person looks at first, at most 80 characters wide."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    shown = [_HEADER.index(name) for name in ("Arm", *_SHOWN)]
    for index in shown:
        table.add_column(_HEADER[index], justify="left" if index == 0 else "right")
    for number, arm in enumerate(summary["arms"]):
        cells = _row(arm, first=number == 0)
        table.add_row(*(cells[index] for index in shown))
    return table


def _row(arm: Mapping[str, Any], first: bool) -> list[str]:
    difference = arm["difference_from_full"]
    return [
        arm["title"],
        str(arm["num_made"]),
        _percent(arm["kept_share"], bounds=False),
        *(_percent(arm[name]) for name in ("right_share", "right_share_of_kept", "right_share_of_dropped")),
        *(MISSING if first else _points(difference[name]) for name in ("right_share", "right_share_of_kept")),
        _number(arm["identity"], 3),
        _number(arm["preservation_psnr"], 1),
        f"{arm['seconds_per_triplet']:.2f}" if arm["seconds_per_triplet"] is not None else MISSING,
    ]


def _percent(interval: Mapping[str, Any], bounds: bool = True) -> str:
    if interval["value"] is None:
        return MISSING
    value, low, high = (100 * interval[name] for name in ("value", "low", "high"))
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]" if bounds else f"{value:.0f} %"


def _points(interval: Mapping[str, Any]) -> str:
    if interval["value"] is None:
        return MISSING
    value, low, high = (f"{100 * interval[name]:+.0f}".replace("-", "−") for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _number(interval: Mapping[str, Any], decimals: int) -> str:
    if interval["value"] is None:
        return MISSING
    value, low, high = (f"{interval[name]:.{decimals}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
