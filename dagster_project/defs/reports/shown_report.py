"""What the fine-tuned editor is worth against the base it started from."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from dagster_project.scores import headline, score_rows
from dagster_project.stage_asset import StageRun

WEEKLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8))
"""A week and a day's grace; after two weeks, two retrainings have failed."""


def show_report(run: StageRun) -> Mapping[str, Any]:
    """Return the report's address, its headline, and its scores by category."""
    from editfoundry.evaluation.lineage_report import headline_summary

    summary = headline_summary(run.folder)
    return {
        "report": dg.MetadataValue.url((run.folder / "report.html").as_uri()),
        **headline(summary),
        "scores": dg.MetadataValue.table([dg.TableRecord(row) for row in score_rows(summary)]),
    }
