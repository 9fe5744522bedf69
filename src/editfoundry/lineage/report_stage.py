"""The stages that report what a trained editor is worth against the profile's base."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from editfoundry.editors.post_edit.post_edit_config import POST_EDIT_ROLES
from editfoundry.evaluation.report_params import ReportParams
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.lineage.editor_stage import EDITWORLD, INSTRUCT_PIX2PIX
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile


def run_report(request: StageRequest) -> Path:
    """Evaluate base and fine-tuned editor on tinyworld's benchmarks, write the report, and log it to MLflow.

    Raises:
        BadInputError: there is no editor, or the output holds something else.
    """
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow
    from editfoundry.evaluation.reports.read_run import runs_folder
    from editfoundry.tracking.mlflow_client import only_watching

    dataset, editor = request.sources
    params: Any = request.params
    runs = runs_folder(request.root, request.output)
    made = evaluate_checkpoint(params, editor, request.output, dataset=dataset, progress=request.progress, runs=runs)
    if made:
        with only_watching("the evaluation"):
            log_to_mlflow(request.output, params, request.root)
    return request.output


def run_instruct_pix2pix_report(request: StageRequest) -> Path:
    """Evaluate the editor that saw nothing but synthesized pairs beside the base, which was trained on the truth.

    Raises:
        BadInputError: there is no editor, or the output holds something else.
    """
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow
    from editfoundry.evaluation.reports.read_run import runs_folder
    from editfoundry.tracking.mlflow_client import only_watching

    whole: Any = request.params
    params = dataclasses.replace(
        whole, editworld_report=whole.instruct_pix2pix_report, editworld=whole.instruct_pix2pix
    )
    runs = runs_folder(request.root, request.output)
    made = evaluate_checkpoint(
        params,
        request.source,
        request.output,
        benchmarks=PLAIN_FIRST,
        progress=request.progress,
        runs=runs,
        title="InstructPix2Pix on tinyworld",
        subtitle=f"{params.profile} profile: the base editor against one trained on synthesized pairs alone",
    )
    if made:
        with only_watching("the evaluation"):
            log_to_mlflow(request.output, params, request.root)
    return request.output


PLAIN_FIRST = ("tinyworld-plain",)
"""Benchmarks of InstructPix2Pix's report: its instructions are plain edits."""


def check_instruct_pix2pix_report(request: StageRequest) -> None:
    """Raise BadInputError where a setting of the post-edit is wrong, or a role has no model that can play it."""
    params: ReportParams = request.params.instruct_pix2pix_report
    profile = load_profile(request.params.profile)
    params.post_edit_config(profile)
    check_models(profile, ("editor_base", "clip"))


def check_report(request: StageRequest) -> None:
    """Raise BadInputError where a setting of the post-edit is wrong, or a role has no model that can play it."""
    params: ReportParams = request.params.editworld_report
    profile = load_profile(request.params.profile)
    asks_for_post_edit = params.post_edit_config(profile) is not None
    check_models(profile, ("editor_base", "clip", *(POST_EDIT_ROLES if asks_for_post_edit else ())))


EDITWORLD_REPORT = Stage(
    name="editworld_report",
    group="reports",
    output="reports/editworld",
    inputs=("dataset", EDITWORLD.name),
    doing="editing the benchmarks, writing the report",
    description="Outcome accuracy, CLIP score and preservation of base and fine-tuned editor, by category, with "
    "pictures.",
    config=ReportParams,
    run=run_report,
    check=check_report,
    commands=("evaluate --editor {sources[1]} --benchmark tinyworld --out {output}",),
    loads_models=True,
    kinds=("html", "json"),
)


INSTRUCT_PIX2PIX_REPORT = Stage(
    name="instruct_pix2pix_report",
    group="reports",
    output="reports/instruct_pix2pix",
    inputs=(INSTRUCT_PIX2PIX.name,),
    doing="editing the plain benchmark, writing the report",
    description="Outcome accuracy, CLIP score and preservation of the editor trained on InstructPix2Pix's pairs and of "
    "the base, with pictures.",
    config=ReportParams,
    run=run_instruct_pix2pix_report,
    check=check_instruct_pix2pix_report,
    commands=("lineage run instruct_pix2pix_report",),
    loads_models=True,
    kinds=("html", "json"),
    by_itself=True,
)
