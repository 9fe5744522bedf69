"""Emu Edit's editor as something to train: InstructPix2Pix's trainee with a table of tasks beside its UNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from editfoundry.editors.families.emu_edit.conditioning import TaskConditioned, add_task_projection, check_widths
from editfoundry.editors.families.emu_edit.editing import TaskEditor
from editfoundry.editors.families.emu_edit.task_choice import FOLDER
from editfoundry.editors.families.emu_edit.task_table import NO_TASK, TaskTable, read_task_table
from editfoundry.editors.families.emu_edit.training_config import EmuEditTraining
from editfoundry.editors.families.instruct_pix2pix.trainee import InstructPix2PixTrainee
from editfoundry.editors.triplet_training.pair_batches import PairBatch
from editfoundry.editors.triplet_training.triplet_data import TripletData
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError
from editfoundry.training.sharding import refuse_sharding
from editfoundry.training.trainee import Modules, TrainedPart, Validation

_TASK_SEED = 15_485_863
"""Added to the run's seed, so that the draws of dropped tasks are no other draws."""


@dataclass(frozen=True)
class TaskBatch:
    """Samples, and the row of the table that each has."""

    pairs: PairBatch
    rows: Tensor
    """``(B,)`` int64."""


@dataclass(frozen=True)
class EmuEditTrainee:
    """An editor and its table in training; see `training.trainee.Trainee`."""

    config: EmuEditTraining
    editor: InstructPix2PixTrainee
    """What is the same without tasks."""
    table: TaskTable
    """On the device."""
    rows: Tensor
    """``(N,)`` int64: the row of each of the data set's triplets."""
    validated_rows: Tensor
    """``(M,)`` int64."""

    @classmethod
    def load(cls, config: EmuEditTraining, accelerator: Accelerator) -> EmuEditTrainee:
        """Load the editor, and its table or a new one; see `InstructPix2PixTrainee.load`.

        Raises:
            BadInputError: the editor or the data set cannot be used.
        """
        refuse_sharding(accelerator, "a UNet and a table of tasks train together")
        editor = InstructPix2PixTrainee.load(config, accelerator)
        unet = editor.pipeline.unet
        knows_tasks = unet.time_embedding.cond_proj is not None
        add_task_projection(unet, config.seed)
        # Which is frozen where no task is told.
        unet.time_embedding.cond_proj.requires_grad_(True)
        folder = Path(config.editor_location)
        has_table = (folder / FOLDER).is_dir()
        if knows_tasks and not folder.is_dir():
            raise BadInputError(
                f"{config.editor}: its UNet is told tasks, but their table {FOLDER} is read from a folder alone: fetch "
                "the editor into one first"
            )
        width = unet.config.cross_attention_dim
        table = read_task_table(folder) if has_table else TaskTable.at_random(width, config.seed)
        check_widths(folder, table, unet)
        rows = task_rows(table, config.dataset, editor.resolution)
        validation = config.validation_dataset
        known = rows[:0] if validation is None else task_rows(table, validation, editor.resolution, "validation")
        return cls(config, editor, table.to(editor.device), rows, known)

    @property
    def parts(self) -> list[TrainedPart]:
        """The UNet, a text encoder that trains, and the table."""
        return [*self.editor.parts, TrainedPart(self.table, self.config.task_learning_rate_scale)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        num_with_task = int((self.rows != NO_TASK).sum())
        return f"{self.editor.data_description}, {num_with_task} of them with a task"

    @property
    def likely_fault(self) -> str:
        """What spoils a loss."""
        return self.editor.likely_fault

    def batch(self, step: int, part: slice) -> TaskBatch:
        """Draw and read some of a step's samples; whoever loses the instruction loses the task with it."""
        pairs = self.editor.batch(step, part)
        generator = torch.Generator().manual_seed((self.config.seed + _TASK_SEED) * 1_000_003 + step)
        draws = torch.rand(self.config.batch_size, generator=generator)[part]
        dropped = pairs.drop_text | (draws < self.config.task_dropout)
        return TaskBatch(pairs, self.rows[pairs.triplets].masked_fill(dropped, NO_TASK))

    def loss(self, modules: Modules, batch: TaskBatch) -> Tensor:
        """Return the denoising loss of triplets that are trained on."""
        return self._loss(modules, batch, self.editor.data)

    def validation(self) -> list[Validation]:
        """Return the denoising loss of triplets that are only looked at, each with its task."""

        def of_pairs(pairs: PairBatch) -> TaskBatch:
            return TaskBatch(pairs, self.validated_rows[pairs.triplets])

        return self.editor.validations(of_pairs, self._loss)

    def write_samples(self, path: Path) -> None:
        """Write a grid of sample edits, see `InstructPix2PixTrainee.write_samples`."""
        edited = TaskEditor(self.editor.pipeline, self.table, Path(self.config.editor_location))
        self.editor.write_samples(path, lambda tasks: edited.conditioned(tasks) or self.editor.pipeline.unet)

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write a complete pipeline in diffusers' layout, and the table into a folder of its own beside the UNet."""
        # The projection of tasks learns beside LoRA updates, and they are of no use without the table.
        self.editor.save(folder, whole, has_trained_more=True)
        self.table.save(folder)

    def facts(self) -> dict[str, Any]:
        """Return the hashes, and the numbers of triplets with and without a task."""
        return {**self.editor.facts(), "num_with_task": int((self.rows != NO_TASK).sum())}

    def _loss(self, modules: Modules, batch: TaskBatch, data: TripletData) -> Tensor:
        rows = batch.rows.to(self.editor.device, non_blocking=True)
        conditioned = TaskConditioned(modules[0], modules[-1](rows), rows != NO_TASK)
        return self.editor.pair_loss(conditioned, modules, batch.pairs, data)


def task_rows(table: TaskTable, dataset: Path, resolution: int, split: str = "train") -> Tensor:
    """Return ``(N,)`` int64 rows of a data set's triplets.

    Raises:
        BadInputError: a triplet has a task that the table lacks.
    """
    try:
        return table.rows(TripletPixels(dataset, resolution, split=split).tasks())
    except BadInputError as error:
        raise BadInputError(f"{dataset}: a triplet has an {error}") from error
