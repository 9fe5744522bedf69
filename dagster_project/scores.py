"""The numbers of a run's summary that Dagster shows, and those that it misses."""

from collections.abc import Mapping
from typing import Any

EDITORS = ("base", "fine_tuned")
METRICS = ("right", "sharp", "clip_score", "preservation_psnr")


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return ``<editor>_<metric>`` over all items, and the gain in right edits; what has no value is left out."""
    cells = {f"{editor}_{m}": summary[editor]["overall"][m]["value"] for editor in EDITORS for m in METRICS}
    known = {name: float(value) for name, value in cells.items() if value is not None}
    return {
        **known,
        "right_gain": known["fine_tuned_right"] - known["base_right"],
        "num_items": summary["num_items"],
    }


def missing_scores(summary: Mapping[str, Any]) -> list[str]:
    """Return what a complete summary has and this one lacks, as ``fine_tuned.overall.clip_score.low``."""
    categories = summary.get("base", {}).get("by_category") or {"(no category)": {}}
    places = [("overall", None), *(("by_category", name) for name in categories)]
    return [
        ".".join(part for part in (editor, kind, name, metric, end) if part)
        for editor in EDITORS
        for kind, name in places
        for metric in METRICS
        for end in ("value", "low", "high", "n")
        if end not in _cell(summary, editor, kind, name, metric)
    ]


def _cell(summary: Mapping[str, Any], editor: str, kind: str, name: str | None, metric: str) -> Mapping[str, Any]:
    scores = summary.get(editor, {}).get(kind, {})
    found = (scores if name is None else scores.get(name, {})).get(metric, {})
    return found if isinstance(found, Mapping) else {}
