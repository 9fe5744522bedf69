"""The lineage: one asset for each stage, made from its record."""

from pathlib import Path

import dagster as dg

from dagster_project.defs.reports.shown_report import WEEKLY
from dagster_project.shown import show_of
from dagster_project.stage_asset import InProcess, stage_asset
from dagster_project.training_process import train_in_a_process
from editfoundry.execution.stage_record import StageRequest
from editfoundry.lineage.editor_stage import EDITWORLD, write_training_config
from editfoundry.lineage.report_stage import EDITWORLD_REPORT
from editfoundry.lineage.stages import STAGES


def train(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, request: StageRequest) -> Path:
    """Fine-tune the lineage's editor in a process of its own."""
    train_in_a_process(context, pipes, write_training_config(request))
    return request.output


IN_PROCESS: dict[str, InProcess] = {EDITWORLD.name: train}
"""Stages that run in a process of their own."""
FRESHNESS = {EDITWORLD_REPORT.name: WEEKLY}


@dg.definitions
def stages() -> dg.Definitions:
    """Make the asset of every stage."""
    return dg.Definitions(
        assets=[
            stage_asset(stage, show_of(stage), IN_PROCESS.get(stage.name), FRESHNESS.get(stage.name))
            for stage in STAGES
        ]
    )
