"""The numbers of a run's summary as flat rows, for Dagster's tables."""

from collections.abc import Iterator, Mapping
from typing import Any

EDITORS = ("base", "fine_tuned")
_METRICS = {
    "outcome": "outcome accuracy, 0 to 1",
    "clip_score": "CLIP score, -1 to 1",
    "preservation_psnr": "PSNR outside the region that the edit changes, dB",
}
METRICS = tuple(_METRICS)
COLUMNS = {
    "category": "Of the instructions; all stands for every item.",
    "num_items": "How many edits were asked for.",
    **{
        f"{editor}_{metric}": f"Mean of the {editor.replace('_', '-')} editor's {told}."
        for editor in EDITORS
        for metric, told in _METRICS.items()
    },
}
"""Column of `score_rows` -> what it holds."""


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return ``<editor>_<metric>`` over all items, and the gain in outcome accuracy; what has no value is left out."""
    cells = {f"{editor}_{m}": summary[editor]["overall"][m]["value"] for editor in EDITORS for m in METRICS}
    known = {name: float(value) for name, value in cells.items() if value is not None}
    return {
        **known,
        "outcome_gain": known["fine_tuned_outcome"] - known["base_outcome"],
        "num_items": summary["num_items"],
    }


def score_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for all items and one for each category: number of items, every metric of both editors."""
    return list(_rows(summary))


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


def _rows(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    places = [("overall", None), *(("by_category", name) for name in summary["base"]["by_category"])]
    for kind, name in places:
        cells = {f"{e}_{m}": _cell(summary, e, kind, name, m) for e in EDITORS for m in METRICS}
        num_items = cells["base_outcome"].get("n", 0)
        values = {key: cell.get("value") for key, cell in cells.items()}
        yield {"category": name or "all", "num_items": num_items, **values}


def _cell(summary: Mapping[str, Any], editor: str, kind: str, name: str | None, metric: str) -> Mapping[str, Any]:
    scores = summary.get(editor, {}).get(kind, {})
    found = (scores if name is None else scores.get(name, {})).get(metric, {})
    return found if isinstance(found, Mapping) else {}
