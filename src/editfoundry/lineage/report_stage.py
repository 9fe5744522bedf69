"""The stages that report what the trained editor of a line is worth against another one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from editfoundry.editors.post_edit.post_edit_config import POST_EDIT_ROLES
from editfoundry.evaluation.report_params import (
    WORLD_REPORT,
    EmuEditReportParams,
    ImagenEditorReportParams,
    LineReport,
    MgieReportParams,
    PairReportParams,
    ReportParams,
    SamplerParams,
)
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.lineage.editor_stage import EDITWORLD, EMU_EDIT, IMAGEN_EDITOR, INSTRUCT_PIX2PIX, MGIE
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile


def run_report(request: StageRequest, report: LineReport = WORLD_REPORT) -> Path:
    """Evaluate a line's editor and what it is compared with, write the report, and log it to MLflow.

    Args:
        request: its last source is the editor; of two, the first is the data set that it was trained on.
        report: the line's.

    Raises:
        BadInputError: there is no editor, or the output holds something else.
    """
    from editfoundry.evaluation.lineage_report import evaluate_checkpoint, log_to_mlflow
    from editfoundry.evaluation.reports.read_run import runs_folder
    from editfoundry.tracking.mlflow_client import only_watching

    params: Any = request.params
    *datasets, editor = request.sources
    runs = runs_folder(request.root, request.output)
    dataset = datasets[0] if datasets else None
    if evaluate_checkpoint(params, editor, request.output, dataset, request.progress, runs, report):
        with only_watching("the evaluation"):
            log_to_mlflow(request.output, params, request.root, report)
    return request.output


def check_report(request: StageRequest, report: LineReport = WORLD_REPORT, role: str = "editor_base") -> None:
    """Raise BadInputError where a setting of the post-edit is wrong, or a role has no model that can play it.

    Args:
        request: whose parameters are checked.
        report: the line's.
        role: of what the editor is compared with.
    """
    params: SamplerParams = getattr(request.params, report.section)
    profile = load_profile(request.params.profile)
    asks_for_post_edit = params.post_edit_config(profile) is not None
    check_models(profile, (role, "clip", *(POST_EDIT_ROLES if asks_for_post_edit else ())))


def _report(
    report: LineReport,
    config: type,
    editor: Stage,
    shows: str,
    doing: str,
    reads: tuple[str, ...] = (),
    command: str = "",
    base_role: str = "editor_base",
) -> Stage:
    return Stage(
        name=report.section,
        group="reports",
        output=f"reports/{editor.name}",
        inputs=(*reads, editor.name),
        doing=doing,
        description=f"Outcome accuracy, CLIP score and preservation of {shows}, with pictures.",
        config=config,
        run=partial(run_report, report=report),
        check=partial(check_report, report=report, role=base_role),
        commands=(command or f"lineage run {report.section}",),
        loads_models=True,
        kinds=("html", "json"),
        line=editor.line,
    )


EDITWORLD_REPORT = _report(
    WORLD_REPORT,
    ReportParams,
    EDITWORLD,
    "base and fine-tuned editor, by category",
    doing="editing the benchmarks, writing the report",
    reads=("dataset",),
    command="evaluate --editor {sources[1]} --benchmark tinyworld --out {output}",
)
INSTRUCT_PIX2PIX_REPORT = _report(
    LineReport(
        section="instruct_pix2pix_report",
        training=INSTRUCT_PIX2PIX.name,
        benchmarks=("tinyworld-plain",),
        title="InstructPix2Pix on tinyworld",
        compares="the base editor against one trained on synthesized pairs alone",
    ),
    PairReportParams,
    INSTRUCT_PIX2PIX,
    "the editor trained on InstructPix2Pix's pairs and of the base, and both editors' trade-off of the image guidance",
    doing="editing the plain benchmark, writing the report",
)
EMU_EDIT_REPORT = _report(
    LineReport(
        section="emu_edit_report",
        training=EMU_EDIT.name,
        benchmarks=("tinyworld-tasks",),
        title="Emu Edit on tinyworld",
        compares="the base editor against one trained on the pairs of all tasks, which is told the task",
    ),
    EmuEditReportParams,
    EMU_EDIT,
    "the editor of many tasks and of the base, task by task",
    doing="editing the benchmark of tasks, writing the report",
)
MGIE_REPORT = _report(
    LineReport(
        section="mgie_report",
        training=MGIE.name,
        benchmarks=("tinyworld-world", "tinyworld-ambiguous", "tinyworld-plain"),
        title="MGIE on tinyworld",
        compares="the base editor against one led by a language model that sees the picture",
    ),
    MgieReportParams,
    MGIE,
    "the editor that looks first and of the base",
    doing="editing the benchmarks of what takes looking, writing the report",
)
IMAGEN_EDITOR_REPORT = _report(
    LineReport(
        section="imagen_editor_report",
        training=IMAGEN_EDITOR.name,
        benchmarks=("tinyworld-editbench",),
        title="Imagen Editor on tinyworld's EditBench",
        compares="the painter with blended latents against the inpainter trained with the masks of things",
        base="inpainting",
    ),
    ImagenEditorReportParams,
    IMAGEN_EDITOR,
    "the trained inpainter and of the painter that it was made of, by what is asked into the hole",
    doing="painting into the benchmark's holes, writing the report",
    base_role="text_to_image",
)
