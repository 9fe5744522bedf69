"""Reads what can be compared: run folders, and reports of the lineage with one or more benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.run import METRICS_FILE, Run, ScoredItem, by_editor, parse_item, read_json, read_run
from editfoundry.evaluation.reports.summary import summarise_run

_LINEAGE_METRICS: Mapping[str, Mapping[str, Any]] = {
    "outcome": {"label": "Outcome accuracy", "higher_is_better": True},
    "clip_score": {"label": "CLIP score", "higher_is_better": True},
    "preservation_psnr": {"label": "Preservation", "unit": "dB", "higher_is_better": True},
}
_LINEAGE_NAMES = {"outcome_accuracy": "outcome"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One report's figures on one benchmark."""

    label: str
    """What people call the report: its folder."""
    benchmark: str
    num_items: int
    summary: Mapping[str, Any]
    """As `summarise_run` returns it, or what a ``summary.json`` without items says."""
    items: Mapping[str, Mapping[str, ScoredItem]] | None
    """Editor -> id -> edit; None where only means are at hand."""


def read_measured(path: Path, seed: int = 0) -> list[Measured]:
    """Read a report: a run folder, a folder of the lineage's report, or one of their JSON files.

    Args:
        path: folder, ``metrics.json`` or ``summary.json``.
        seed: of the resampling.

    Returns:
        One entry for each benchmark of the report.

    Raises:
        BadInputError: there is no report, or it is malformed.
    """
    folder = path.parent if path.suffix == ".json" else path
    metrics, summary = folder / METRICS_FILE, folder / "summary.json"
    if path.name == "summary.json" or not metrics.is_file():
        if not summary.is_file():
            raise BadInputError(f"{path}: holds neither {METRICS_FILE} nor summary.json; give a report's folder")
        return _means_only(folder, read_json(summary))
    rows = read_json(metrics)
    if not isinstance(rows, list):
        return [_of_run(folder, read_run(folder), seed)]
    return [
        _of_run(folder, _lineage_run(folder, benchmark, rows), seed) for benchmark in _benchmarks(read_json(summary))
    ]


def _of_run(folder: Path, run: Run, seed: int) -> Measured:
    summary = summarise_run(run, seed)
    return Measured(
        label=_label(folder), benchmark=run.name, num_items=summary["num_items"], summary=summary, items=run.items
    )


def _lineage_run(folder: Path, summary: Mapping[str, Any], rows: list[dict[str, Any]]) -> Run:
    path, name = folder / METRICS_FILE, summary["benchmark"]
    own = [row for row in rows if row.get("benchmark") == name]
    items = [parse_item(_lineage_row(row), f"{path}: {name}: item {number}") for number, row in enumerate(own, start=1)]
    editors = list(dict.fromkeys(item.editor for item in items))
    metrics = {**_LINEAGE_METRICS, "clip_score": {**_LINEAGE_METRICS["clip_score"], "model": summary["clip"]["model"]}}
    return Run(
        folder=folder, benchmark={"name": name, "num_items": summary["num_cases"]}, metrics=metrics,
        editors={editor: {} for editor in editors}, items=by_editor(items, editors, path),
    )  # fmt: skip


def _lineage_row(row: Mapping[str, Any]) -> dict[str, Any]:
    scores = {name: row.get(name) for name in ("clip_score", "preservation_psnr")}
    return {**row, "scores": {"outcome": float(row.get("correct", False)), **scores}}


def _means_only(folder: Path, data: Mapping[str, Any]) -> list[Measured]:
    try:
        if "num_cases" not in data:
            return [Measured(label=_label(folder), benchmark=data["benchmark"], num_items=data["num_items"],
                             summary=data, items=None)]  # fmt: skip
        return [
            Measured(label=_label(folder), benchmark=one["benchmark"], num_items=one["num_cases"],
                     summary=_lineage_summary(one), items=None)
            for one in _benchmarks(data)
        ]  # fmt: skip
    except (KeyError, TypeError) as error:
        raise BadInputError(f"{folder / 'summary.json'}: not the summary of a report: lacks {error}") from error


def _benchmarks(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [summary, *summary.get("other_benchmarks", {}).values()]


def _lineage_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    editors = {name: part for name, part in summary.items() if isinstance(part, Mapping) and "outcomes" in part}
    metrics = {**_LINEAGE_METRICS, "clip_score": {**_LINEAGE_METRICS["clip_score"], "model": summary["clip"]["model"]}}
    renamed = {
        editor: {"overall": {_LINEAGE_NAMES.get(m, m): interval for m, interval in part["overall"].items()}}
        for editor, part in editors.items()
    }
    return {"editors": list(editors), "metrics": metrics, **renamed}


def _label(folder: Path) -> str:
    return folder.resolve().name
