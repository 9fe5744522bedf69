"""Logs a run's reports to MLflow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editfoundry.evaluation.reports.run import read_json, read_run
from editfoundry.tracking.mlflow_client import TrackedRun, default_tracking_uri, source_tags, tracked_run

EXPERIMENT = "evaluation"
ARTIFACTS = ("report.html", "report.md", "summary.json", "metrics.json")


def log_reports(folder: Path, root: Path, tracking_uri: str | None = None) -> str:
    """Log a run folder's reports as one MLflow run: overall means, editors' settings, files.

    Args:
        folder: with the reports that `write_reports` wrote.
        root: the project's folder.
        tracking_uri: by default the project's own store.

    Returns:
        The run's id.

    Raises:
        BadInputError: the folder lacks metrics or reports.
    """
    run, summary = read_run(folder), read_json(folder / "summary.json")
    settings = {"benchmark": run.name, "editors": {e: facts.get("settings") or {} for e, facts in run.editors.items()}}
    tags = {**source_tags(root), "benchmark": run.name}
    uri = tracking_uri or default_tracking_uri(root)
    with tracked_run(EXPERIMENT, f"{folder.resolve().name}: {run.name}", settings, tags, uri, root=root) as tracked:
        for editor in summary["editors"]:
            log_means(tracked, editor, summary[editor]["overall"])
            tracked.log_metric(_name(editor, "num_failed"), summary[editor]["num_failed"])
            seconds = run.editors[editor].get("seconds_per_edit")
            if seconds is not None:
                tracked.log_metric(_name(editor, "seconds_per_edit"), seconds)
        for name in ARTIFACTS:
            if (folder / name).is_file():
                tracked.log_artifact(folder / name)
    return tracked.run_id


def log_means(tracked: TrackedRun, editor: str, overall: Mapping[str, Mapping[str, Any]]) -> None:
    """Log an editor's means over the whole benchmark as ``EDITOR_METRIC``; what has no figure is left out."""
    for metric, interval in overall.items():
        if interval["value"] is not None:
            tracked.log_metric(_name(editor, metric), interval["value"])


def _name(editor: str, metric: str) -> str:
    # MLflow takes letters, digits and a few signs in the name of a metric.
    return re.sub(r"[^\w./ -]", "_", f"{editor}_{metric}")
