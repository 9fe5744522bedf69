"""Emu Edit's editors: InstructPix2Pix's UNet with a learned embedding for each of many tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.editors.editor import Editor, WordedEdit
from editfoundry.editors.editor_family import EditorFamily, EditorSource, FamilyTraining
from editfoundry.editors.families.emu_edit.task_choice import CHOICES, FOLDER, PREDICTED
from editfoundry.editors.families.emu_edit.training_config import EmuEditTraining, TaskInversion
from editfoundry.editors.families.instruct_pix2pix.family import PER_REQUEST_OPTIONS, InstructPix2PixOptions
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from editfoundry.editors.editor import EditRequest
    from editfoundry.editors.families.emu_edit.editing import TaskEditor
    from editfoundry.pretrained.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class EmuEditOptions(InstructPix2PixOptions):
    """Sampling of an Emu Edit editor, with the paper's guidance."""

    guidance_scale: float = 5.0
    """Weight of the instruction and its task, ``s_T``."""
    image_guidance_scale: float = 1.5
    """Weight of the input picture, ``s_I``."""
    task: str = "given"
    """``given``: each request's own task; where it has none, the predicted one, if the profile has a
    ``task_predictor``, else none. ``predicted``: always that one. ``none``. Or a task for all edits, by name or by the
    path of a learnt one."""


def _load(source: EditorSource, runtime: Runtime) -> TaskEditor:
    from editfoundry.editors.families.emu_edit.conditioning import check_widths
    from editfoundry.editors.families.emu_edit.editing import TaskEditor
    from editfoundry.editors.families.emu_edit.task_table import read_task_table
    from editfoundry.pretrained.editor_base import load_editor
    from editfoundry.pretrained.task_predictor import load_task_predictor

    assert source.folder is not None  # The family has no editor of a name of its own.
    predictor = None
    if source.profile is not None and "task_predictor" in source.profile.models:
        # Loaded when the first edit asks for it: where every request has a task, none does.
        predictor = cache(partial(load_task_predictor, source.profile, runtime))
    pipeline, table = load_editor(source.folder, runtime), read_task_table(source.folder)
    check_widths(source.folder, table, pipeline.unet)
    return TaskEditor(pipeline, table, source.folder, predictor, partial(_own_hash, source))


@lru_cache(maxsize=16)
def _own_hash(source: EditorSource) -> str:
    """Return the hash that learnt tasks know an editor by; its files are read once for each ``source``."""
    from editfoundry.editors.families.emu_edit.task_file import frozen_hash

    return frozen_hash(str(source.folder))


def _option_files(source: EditorSource, given: Mapping[str, Any]) -> list[Path]:
    """Return the file of the learnt task that is to be all edits' own, if the option ``task`` names one.

    Raises:
        BadInputError: it names no task, or one that was learnt for another editor; or it is to be predicted, and no
            model predicts.
    """
    task = given.get("task")
    if task == PREDICTED and (source.profile is None or "task_predictor" not in source.profile.models):
        raise BadInputError("task is predicted, but the profile names no model for the role 'task_predictor'")
    if source.folder is None or task in (None, *CHOICES):
        return []
    from editfoundry.editors.families.emu_edit.task_file import read_task, required_task
    from editfoundry.editors.families.emu_edit.task_table import read_task_table

    table = read_task_table(source.folder)
    path = required_task(str(task), source.folder, table)
    if path is None:
        return []
    read_task(path, source.folder, table.vectors.shape[1], _own_hash(source))
    return [path]


def _edit(editor: Editor, requests: Sequence[EditRequest]) -> list[WordedEdit]:
    from editfoundry.editors.families.emu_edit.editing import edit_with_tasks
    from editfoundry.editors.working_size import edit_at_working_size

    def edit(group: list[EditRequest]) -> list[WordedEdit]:
        return edit_with_tasks(editor.model, group, editor.options)

    return edit_at_working_size(editor.model.pipeline, requests, edit, editor.source.defaults.area_side)


EMU_EDIT = EditorFamily(
    name="emu_edit",
    pipeline_classes=("StableDiffusionInstructPix2PixPipeline",),
    marker=FOLDER,
    options_class=EmuEditOptions,
    load=_load,
    edit=_edit,
    also_reads=("task",),
    helper_roles=("task_predictor",),
    explains_itself=True,
    per_request_options=PER_REQUEST_OPTIONS,
    option_files=_option_files,
    training=FamilyTraining(
        EmuEditTraining,
        "editfoundry.editors.families.emu_edit.trainee:EmuEditTrainee",
        inversion=FamilyTraining(TaskInversion, "editfoundry.editors.families.emu_edit.inversion:TaskInversionTrainee"),
    ),
)
