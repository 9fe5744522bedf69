"""What the fine-tuned editor is worth against the base it started from."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from PIL import Image

from dagster_project.links import mlflow_link, report_link
from dagster_project.metadata import picture, table
from dagster_project.scores import OUTCOME_COLUMNS, headline, outcome_rows
from dagster_project.stage_asset import StageRun

WEEKLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8))
"""A week and a day's grace; after two weeks, two retrainings have failed."""
GRID_PIXELS = 720
"""Width at which the report's grid of edits is shown; the report has it whole."""


def show_report(run: StageRun) -> Mapping[str, Any]:
    """Return the report's address, its headline, its outcome by category, some edits, and its run in MLflow."""
    from editfoundry.data.hashing import file_hash
    from editfoundry.evaluation.lineage_report import headline_summary
    from editfoundry.evaluation.reports.mlflow_log import EXPERIMENT, METRICS_TAG
    from editfoundry.evaluation.reports.run_results import METRICS_FILE

    summary = headline_summary(run.folder)
    grid = Image.open(run.folder / "grid.png").convert("RGB")
    grid.thumbnail((GRID_PIXELS, 10 * GRID_PIXELS), Image.Resampling.LANCZOS)
    return {
        "report": report_link(run.folder / "report.html", run.paths.root),
        **headline(summary),
        "outcome_by_category": table(outcome_rows(summary), OUTCOME_COLUMNS),
        # A palette makes it a third as large in the log of events, which keeps it for ever.
        "edits": picture(grid.quantize(256), "input, base editor, fine-tuned editor and truth"),
        "mlflow_run": mlflow_link(EXPERIMENT, METRICS_TAG, file_hash(run.folder / METRICS_FILE), run.paths.root),
    }
