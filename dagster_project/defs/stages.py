"""The lineage: one asset for each stage, made from its record."""

from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.defs.reports.shown_report import WEEKLY
from dagster_project.shown import show_of
from dagster_project.stage_asset import InProcess, line_job, stage_asset
from dagster_project.training_process import train_in_a_process
from editfoundry.execution.stage_record import StageRequest
from editfoundry.lineage.editor_stage import EDITOR_LINES, EditorLine, write_training_config
from editfoundry.lineage.report_stage import EDITWORLD_REPORT
from editfoundry.lineage.stages import LINES, STAGES, stages_of


def train(
    line: EditorLine, context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, request: StageRequest
) -> Path:
    """Train an editor of the lineage in a process of its own."""
    train_in_a_process(context, pipes, write_training_config(request, line))
    return request.output


IN_PROCESS: dict[str, InProcess] = {name: partial(train, line) for name, line in EDITOR_LINES.items()}
"""Stages that run in a process of their own."""
FRESHNESS = {EDITWORLD_REPORT.name: WEEKLY}


def job_of_line(line: str) -> Any:
    """Return the job that makes a line of its own in one go."""
    doing = ", ".join(stage.doing for stage in stages_of(line))
    description = f"The line {line} in one go: {doing}. What it reads of the main line must be there."
    return dg.define_asset_job(line_job(line), [stage.name for stage in stages_of(line)], description=description)


@dg.definitions
def stages() -> dg.Definitions:
    """Make the asset of every stage, and the job of each line beside the main one."""
    return dg.Definitions(
        assets=[
            stage_asset(stage, show_of(stage), IN_PROCESS.get(stage.name), FRESHNESS.get(stage.name))
            for stage in STAGES
        ],
        jobs=[job_of_line(line) for line in LINES if line],
    )
