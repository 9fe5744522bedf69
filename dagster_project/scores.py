"""The numbers of a run's summary that Dagster shows, and those that it misses."""

from collections.abc import Mapping
from typing import Any

EDITORS = ("base", "fine_tuned")
METRICS = ("right", "sharp", "clip_score", "preservation_psnr")
OUTCOME_COLUMNS = {
    "category": "Of the instructions; all stands for every item.",
    "base": "Share of right edits of the editor before its fine-tuning, 0 to 1.",
    "tuned": "Share of right edits of the fine-tuned editor, 0 to 1.",
    "gain": "Their difference.",
}
"""As much as an asset's page has room for; the report has the rest."""


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return ``<editor>_<metric>`` over all items, and the gain in right edits; what has no value is left out."""
    cells = {f"{editor}_{m}": summary[editor]["overall"][m]["value"] for editor in EDITORS for m in METRICS}
    known = {name: float(value) for name, value in cells.items() if value is not None}
    return {
        **known,
        "right_gain": known["fine_tuned_right"] - known["base_right"],
        "num_items": summary["num_items"],
    }


def outcome_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the columns `OUTCOME_COLUMNS` for all items, and for each category."""
    places = [("overall", None), *(("by_category", name) for name in summary["base"]["by_category"])]
    return [
        _outcome_row(name or "all", *(_cell(summary, e, kind, name, "right") for e in EDITORS)) for kind, name in places
    ]


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


def _outcome_row(category: str, base: Mapping[str, Any], tuned: Mapping[str, Any]) -> dict[str, Any]:
    before, after = base.get("value"), tuned.get("value")
    gain = None if before is None or after is None else after - before
    return {"category": category, "base": before, "tuned": after, "gain": gain}


def _cell(summary: Mapping[str, Any], editor: str, kind: str, name: str | None, metric: str) -> Mapping[str, Any]:
    scores = summary.get(editor, {}).get(kind, {})
    found = (scores if name is None else scores.get(name, {})).get(metric, {})
    return found if isinstance(found, Mapping) else {}
