"""Logs a run's reports to MLflow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editfoundry.data.hashing import file_hash
from editfoundry.evaluation.reports.read_run import read_summaries
from editfoundry.evaluation.reports.run_results import METRICS_FILE, Run, read_runs
from editfoundry.tracking.mlflow_client import TrackedRun, distinct_name, source_tags, tracked_run, tracking_uri_of

EXPERIMENT = "evaluation"
METRICS_TAG = "metrics_hash"
"""Of a run: the hash of the report's ``metrics.json``, by which the run of a report is found."""
ARTIFACTS = ("report.html", "report.md", "summary.json", "metrics.json", "grid.png")


def log_reports(
    folder: Path, root: Path, tracking_uri: str | None = None, settings: Mapping[str, Any] | None = None
) -> str:
    """Log a folder's reports as one MLflow run: overall means, editors' settings, files.

    Of a report of several benchmarks, the first one's means carry the plain names, the others' their benchmark's too.

    Args:
        folder: with ``metrics.json``, ``summary.json`` and the reports.
        root: the project's folder.
        tracking_uri: by default MLFLOW_TRACKING_URI, else the project's own store.
        settings: logged as parameters; by default those of the editors.

    Returns:
        The run's id.

    Raises:
        BadInputError: the folder lacks metrics or reports.
    """
    runs = read_runs(folder)
    summaries = {summary["benchmark"]: summary for summary in read_summaries(folder / "summary.json")}
    first = runs[0]
    own = {"benchmark": first.name, "editors": {e: facts.get("settings") or {} for e, facts in first.editors.items()}}
    tags = {**source_tags(root), "benchmark": first.name, METRICS_TAG: file_hash(folder / METRICS_FILE)}
    uri = tracking_uri or tracking_uri_of(root)
    data_hash = next((value for tag, value in tags.items() if tag.startswith("dvc.")), "")
    name = distinct_name(f"{folder.resolve().name}: {first.name}", data_hash)
    with tracked_run(EXPERIMENT, name, own if settings is None else settings, tags, uri, root=root) as tracked:
        for run in runs:
            _log_run(tracked, "" if run is first else f"{run.name}/", run, summaries[run.name])
        for artifact in ARTIFACTS:
            if (folder / artifact).is_file():
                tracked.log_artifact(folder / artifact)
    return tracked.run_id


def _log_run(tracked: TrackedRun, prefix: str, run: Run, summary: Mapping[str, Any]) -> None:
    for editor in summary["editors"]:
        log_means(tracked, f"{prefix}{editor}", summary[editor]["overall"])
        tracked.log_metric(_name(f"{prefix}{editor}", "num_failed"), summary[editor]["num_failed"])
        seconds = run.editors[editor].get("seconds_per_edit")
        if seconds is not None:
            tracked.log_metric(_name(f"{prefix}{editor}", "seconds_per_edit"), seconds)


def log_means(tracked: TrackedRun, editor: str, overall: Mapping[str, Mapping[str, Any]]) -> None:
    """Log an editor's means over the whole benchmark as ``EDITOR_METRIC``; what has no figure is left out."""
    for metric, interval in overall.items():
        if interval["value"] is not None:
            tracked.log_metric(_name(editor, metric), interval["value"])


def _name(editor: str, metric: str) -> str:
    # MLflow takes letters, digits and a few signs in the name of a metric.
    return re.sub(r"[^\w./ -]", "_", f"{editor}_{metric}")
