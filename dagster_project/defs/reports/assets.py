"""What the fine-tuned editor is worth against the base it started from."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.scores import headline, score_rows
from dagster_project.stage_asset import GPU_POOL, StageConfig, StageRun, materialize_stage, stage_options
from editfoundry.evaluation.lineage_report import headline_summary

WEEKLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=15), warn_window=timedelta(days=8))
"""A week and a day's grace; after two weeks, two retrainings have failed."""


@dg.asset(
    **stage_options("reports", kinds={"html", "json"}, pool=GPU_POOL, deps=["dataset", "editworld"]),
    freshness_policy=WEEKLY,
)
def editworld_report(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Outcome accuracy, CLIP score and preservation of base and fine-tuned editor, by category, with pictures."""
    return materialize_stage(context, config, foundry, dvc, show=_show_report)


def _show_report(run: StageRun) -> Mapping[str, Any]:
    summary = headline_summary(run.folder)
    return {
        "report": dg.MetadataValue.url((run.folder / "report.html").as_uri()),
        **headline(summary),
        "scores": dg.MetadataValue.table([dg.TableRecord(row) for row in score_rows(summary)]),
    }
