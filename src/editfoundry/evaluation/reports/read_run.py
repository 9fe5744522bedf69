"""Reads what can be compared: run folders, and reports of several benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.run_layout import check_summary
from editfoundry.evaluation.reports.run_results import METRICS_FILE, SEVERAL, Run, read_report_json, read_run, read_runs
from editfoundry.evaluation.reports.run_summary import summarise_run


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One report's figures on one benchmark."""

    label: str
    """What people call the report: its folder."""
    benchmark: str
    num_items: int
    summary: Mapping[str, Any]
    """As `summarise_run` returns it, or what a ``summary.json`` without items says."""
    run: Run | None
    """Every edit; None where only means are at hand."""


def read_measured(path: Path, seed: int = 0) -> list[Measured]:
    """Read a report: a run folder, a folder of a report of several benchmarks, or one of their JSON files.

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
        return _means_only(folder, summary)
    return [_of_run(folder, replace(run, folder=_pictures_folder(folder, run)), seed) for run in read_runs(folder)]


def runs_folder(root: Path, output: Path) -> Path:
    """Return where the runs behind a report are kept: what DVC versions has no room for their many small files."""
    return root / ".cache" / "runs" / output.name


def _pictures_folder(report: Path, run: Run) -> Path:
    """Return the folder with a run's pictures: its own, or in the cache of the project that the report lies in.

    The cache holds the pictures of the latest evaluation, and those of another one would belie the figures.
    """
    if run.folder.is_dir():
        return run.folder
    report = report.resolve()
    for root in report.parents:
        kept = runs_folder(root, report) / run.name
        if (kept / METRICS_FILE).is_file() and read_run(kept).items == run.items:
            return kept
    return run.folder


def _of_run(folder: Path, run: Run, seed: int) -> Measured:
    summary = summarise_run(run, seed)
    return Measured(label=_label(folder), benchmark=run.name, num_items=summary["num_items"], summary=summary, run=run)


def _means_only(folder: Path, path: Path) -> list[Measured]:
    return [
        Measured(label=_label(folder), benchmark=one["benchmark"], num_items=one["num_items"], summary=one, run=None)
        for one in read_summaries(path)
        if one["editors"] and one["metrics"]
    ]


def read_summaries(path: Path) -> list[Mapping[str, Any]]:
    """Return what a ``summary.json`` says of each of its benchmarks.

    Raises:
        BadInputError: there is none, or it is malformed.
    """
    data = read_report_json(path)
    if SEVERAL not in data:
        return [check_summary(data, str(path))]
    several = data[SEVERAL]
    if not isinstance(several, dict):
        raise BadInputError(f"{path}: {SEVERAL!r} does not name benchmarks; write it with editfoundry report")
    return [check_summary(one, f"{path}: {name}") for name, one in several.items()]


def _label(folder: Path) -> str:
    return folder.resolve().name
