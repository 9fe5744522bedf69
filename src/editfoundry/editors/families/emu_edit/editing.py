"""Edits with a table of tasks: each edit with the task that is given or predicted, or with none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from torch import Tensor

from editfoundry.editors.editor import EditRequest, EditWords, WordedEdit
from editfoundry.editors.families.emu_edit.conditioning import TaskConditioned
from editfoundry.editors.families.emu_edit.task_choice import GIVEN, NONE, PREDICTED
from editfoundry.editors.families.emu_edit.task_file import read_task, required_task
from editfoundry.editors.families.emu_edit.task_table import TaskTable
from editfoundry.editors.families.instruct_pix2pix.family import sampling_of
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.errors import BadInputError, MissingModelError, Rejection
from editfoundry.pretrained.task_predictor import TaskPredictor

UNKNOWN_TASK = "unknown-task"
NO_PREDICTOR = "no-task-predictor"


@dataclass(frozen=True)
class ChosenTask:
    """The task that an edit is made by."""

    name: str = ""
    """Empty for none."""
    is_predicted: bool = False

    @property
    def words(self) -> EditWords:
        """What is told of it beside the edit."""
        source = "predicted" if self.is_predicted else "given"
        return EditWords(f"task {self.name} ({source})" if self.name else "no task")


@dataclass(frozen=True)
class TaskEditor:
    """What `Editor.model` is in this family."""

    pipeline: StableDiffusionInstructPix2PixPipeline
    table: TaskTable
    folder: Path
    """The checkpoint's."""
    predictor: Callable[[], TaskPredictor] | None = None
    """Loads what predicts tasks, once; None where the profile names no such model."""
    own_hash: Callable[[], str] | None = None
    """Returns the checkpoint's `frozen_hash`, taken once; None to take it for every learnt task that is read."""

    def tasks(self, requests: Sequence[EditRequest], choice: str) -> list[ChosenTask]:
        """Return the task of each request as the option ``task`` chooses it, see `EmuEditOptions`.

        An edit that is asked for nothing, as a control does, has no task, whatever is chosen.

        Raises:
            BadInputError: ``choice`` is ``predicted``, and no model predicts.
            MissingModelError: the model that predicts is not on this machine.
        """
        texts = [request.instruction.strip() for request in requests]
        if choice not in (GIVEN, PREDICTED):
            return [ChosenTask(choice if text and choice != NONE else "") for text in texts]
        if choice == PREDICTED and self.predictor is None:
            raise BadInputError("task is predicted, but the profile names no model for the role 'task_predictor'")
        given = [request.task or "" if choice == GIVEN else "" for request in requests]
        own = [ChosenTask(task if text else "") for task, text in zip(given, texts, strict=True)]
        untold = [place for place, task in enumerate(own) if not task.name and texts[place]]
        if untold and self.predictor is not None:
            found = self.predictor().predict([requests[place].instruction for place in untold])
            for place, task in zip(untold, found, strict=True):
                own[place] = ChosenTask(task if task in self.table.names else "", is_predicted=True)
        return own

    @torch.no_grad()
    def vectors(self, tasks: Sequence[str]) -> Tensor:
        """Return ``(B, D)`` embeddings of tasks: names of the table, paths or names of learnt ones; zeros for an empty
        one.

        Raises:
            BadInputError: there is no such task, or it was learnt for another editor.
        """
        named = {task: required_task(task, self.folder, self.table) for task in dict.fromkeys(tasks) if task}
        learnt = {task: path for task, path in named.items() if path is not None}
        vectors = self.table(self.table.rows(["" if task in learnt else task for task in tasks]))
        own_hash = self.own_hash() if learnt and self.own_hash is not None else None
        for task, path in learnt.items():
            vector = read_task(path, self.folder, vectors.shape[1], own_hash).vector
            vectors[[place for place, own in enumerate(tasks) if own == task]] = vector
        return vectors

    def conditioned(self, tasks: Sequence[str]) -> TaskConditioned | None:
        """Return the UNet that knows the tasks of ``B`` edits; None where none has any: then it is called as it is."""
        device = self.pipeline._execution_device
        vectors = self.vectors(tasks).to(device)
        has_task = vectors.ne(0).any(1)
        return TaskConditioned(self.pipeline.unet, vectors, has_task) if bool(has_task.any()) else None


def edit_with_tasks(editor: TaskEditor, requests: Sequence[EditRequest], options: Any) -> list[WordedEdit]:
    """Edit equally large pictures, each by its instruction and its task; the words are the tasks."""
    try:
        tasks = editor.tasks(requests, options.task)
    except (BadInputError, MissingModelError) as error:
        raise Rejection(NO_PREDICTOR, str(error)) from error
    try:
        denoiser = editor.conditioned([task.name for task in tasks])
    except BadInputError as error:
        raise Rejection(UNKNOWN_TASK, str(error)) from error
    images = edit_images(
        editor.pipeline,
        [request.image for request in requests],
        [request.instruction for request in requests],
        denoiser=denoiser,
        **sampling_of(requests, options),
    )
    return [WordedEdit(image, task.words) for image, task in zip(images, tasks, strict=True)]
