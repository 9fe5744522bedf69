"""The stages that report what a trained editor is worth against the profile's base."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from editfoundry.editors.post_edit.post_edit_config import POST_EDIT_ROLES
from editfoundry.evaluation.report_params import PairReportParams, ReportParams
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.lineage.editor_stage import EDITWORLD, INSTRUCT_PIX2PIX
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instruct_pix2pix.recipe import LINE


def run_report(request: StageRequest) -> Path:
    """Evaluate base and fine-tuned editor on tinyworld's benchmarks, write the report, and log it to MLflow.

    Raises:
        BadInputError: there is no editor, or the output holds something else.
    """
    dataset, editor = request.sources
    return _evaluate(request, request.params, editor, dataset=dataset)


def run_instruct_pix2pix_report(request: StageRequest) -> Path:
    """Evaluate the editor that saw nothing but synthesized pairs beside the base, which was trained on the truth.

    Raises:
        BadInputError: there is no editor, or the output holds something else.
    """
    whole: Any = request.params
    params = dataclasses.replace(
        whole, editworld_report=whole.instruct_pix2pix_report, editworld=whole.instruct_pix2pix
    )
    return _evaluate(
        request,
        params,
        request.source,
        benchmarks=PLAIN_FIRST,
        title="InstructPix2Pix on tinyworld",
        subtitle=f"{params.profile} profile: the base editor against one trained on synthesized pairs alone",
        num_trade_off_cases=whole.instruct_pix2pix_report.num_trade_off_cases,
    )


PLAIN_FIRST = ("tinyworld-plain",)
"""Benchmarks of InstructPix2Pix's report: its instructions are plain edits."""


def _evaluate(request: StageRequest, params: Any, editor: Path, **how: Any) -> Path:
    """Write the report of an editor, and log it where it was made anew; ``how`` is of `evaluate_checkpoint`."""
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow
    from editfoundry.evaluation.reports.read_run import runs_folder
    from editfoundry.tracking.mlflow_client import only_watching

    runs = runs_folder(request.root, request.output)
    if evaluate_checkpoint(params, editor, request.output, progress=request.progress, runs=runs, **how):
        with only_watching("the evaluation"):
            log_to_mlflow(request.output, params, request.root)
    return request.output


def check_report(request: StageRequest, section: str) -> None:
    """Raise BadInputError where a setting of the post-edit is wrong, or a role has no model that can play it.

    Args:
        request: whose parameters are checked.
        section: of the parameters, a `ReportParams`.
    """
    params: ReportParams = getattr(request.params, section)
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
    check=partial(check_report, section="editworld_report"),
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
    "the base, and both editors' trade-off of the image guidance, with pictures.",
    config=PairReportParams,
    run=run_instruct_pix2pix_report,
    check=partial(check_report, section="instruct_pix2pix_report"),
    commands=("lineage run instruct_pix2pix_report",),
    loads_models=True,
    kinds=("html", "json"),
    line=LINE,
)
