"""Edits with a table of tasks: each edit with the task that is given, or with none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image
from torch import Tensor

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.emu_edit.conditioning import TaskConditioned
from editfoundry.editors.families.emu_edit.task_file import find_task, read_task
from editfoundry.editors.families.emu_edit.task_table import TaskTable, read_task_table
from editfoundry.editors.families.instruct_pix2pix.family import sampling_of
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.errors import Rejection

UNKNOWN_TASK = "unknown-task"


@dataclass(frozen=True)
class TaskEditor:
    """What `Editor.model` is in this family."""

    pipeline: StableDiffusionInstructPix2PixPipeline
    table: TaskTable
    folder: Path
    """The checkpoint's."""

    @torch.no_grad()
    def vectors(self, tasks: Sequence[str]) -> Tensor:
        """Return ``(B, D)`` embeddings of tasks: names of the table, paths or names of learnt ones; zeros for an empty
        one.

        Raises:
            BadInputError: there is no such task, or it was learnt for another editor.
        """
        learnt = {task: path for task in set(tasks) if (path := self._learnt(task)) is not None}
        vectors = self.table(self.table.rows(["" if task in learnt else task for task in tasks]))
        for task, path in learnt.items():
            vector = read_task(path, self.folder, vectors.shape[1]).vector
            vectors[[place for place, own in enumerate(tasks) if own == task]] = vector
        return vectors

    def _learnt(self, task: str) -> Path | None:
        return find_task(task, self.folder) if task and task not in self.table.names else None

    def conditioned(self, tasks: Sequence[str]) -> TaskConditioned | None:
        """Return the UNet that knows the tasks of ``B`` edits; None where none has any: then it is called as it is."""
        device = self.pipeline._execution_device
        vectors = self.vectors(tasks).to(device)
        has_task = vectors.ne(0).any(1)
        return TaskConditioned(self.pipeline.unet, vectors, has_task) if bool(has_task.any()) else None


def load_task_editor(pipeline: StableDiffusionInstructPix2PixPipeline, folder: Path) -> TaskEditor:
    """Return a loaded pipeline with the table of its folder."""
    return TaskEditor(pipeline, read_task_table(folder), folder)


def task_of(request: EditRequest, choice: str) -> str:
    """Return a request's task as the option ``task`` chooses it, see `EmuEditOptions`; empty for none."""
    if choice == "given":
        return request.task or ""
    return "" if choice == "none" else choice


def edit_with_tasks(editor: TaskEditor, requests: Sequence[EditRequest], options: Any) -> list[Image.Image]:
    """Edit equally large pictures, each by its instruction and its task."""
    try:
        denoiser = editor.conditioned([task_of(request, options.task) for request in requests])
    except ValueError as error:
        raise Rejection(UNKNOWN_TASK, str(error)) from error
    return edit_images(
        editor.pipeline,
        [request.image for request in requests],
        [request.instruction for request in requests],
        denoiser=denoiser,
        **sampling_of(requests, options),
    )
