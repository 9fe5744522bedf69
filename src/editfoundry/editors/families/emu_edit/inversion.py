"""Task inversion: a new task's embedding is learnt from few examples by an editor that stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from editfoundry.diffusion.schedulers import scheduler_in
from editfoundry.editors.families.emu_edit.conditioning import TaskConditioned, check_widths
from editfoundry.editors.families.emu_edit.task_choice import FOLDER
from editfoundry.editors.families.emu_edit.task_file import SUFFIX, InvertedTask, frozen_hash, write_task
from editfoundry.editors.families.emu_edit.task_table import NO_TASK, TaskTable, read_task_table
from editfoundry.editors.families.emu_edit.trainee import EmuEditTrainee, TaskBatch
from editfoundry.editors.families.emu_edit.training_config import EDITOR_STAYS, TaskInversion
from editfoundry.editors.families.instruct_pix2pix.trainee import InstructPix2PixTrainee
from editfoundry.editors.triplet_training.triplet_data import TripletData
from editfoundry.errors import BadInputError
from editfoundry.training.sharding import refuse_sharding
from editfoundry.training.trainee import Modules, TrainedPart


@dataclass(frozen=True)
class TaskInversionTrainee(EmuEditTrainee):
    """One new vector in training: `table` has it alone; every triplet, whatever task it names, is an example of it."""

    config: TaskInversion

    @classmethod
    def load(cls, config: TaskInversion, accelerator: Accelerator) -> TaskInversionTrainee:  # type: ignore[override]
        """Load the editor; the vector starts at the mean of the tasks that it knows.

        Raises:
            BadInputError: the editor has no table of tasks that fits it, knows a task of this name, or would be trained
                for another schedule than its own; or the data set cannot be used.
        """
        if not (config.folder / FOLDER).is_dir():
            fetch = "" if config.folder.is_dir() else "; fetch an editor of the hub into a folder first"
            raise BadInputError(f"{config.editor}: has no {FOLDER}, so it is no editor of the family emu_edit{fetch}")
        known = read_task_table(config.folder)
        new = f"a new name: the editor has {', '.join(known.names)}"
        config.check(config.invert_task not in known.names, "invert_task", new)
        _check_schedule(config)
        refuse_sharding(accelerator, "one vector is learnt beside a frozen editor")
        editor = InstructPix2PixTrainee.load(config, accelerator)
        editor.pipeline.unet.requires_grad_(False)
        check_widths(config.folder, known, editor.pipeline.unet)
        table = TaskTable(known.vectors.detach().mean(0, keepdim=True).clone(), [config.invert_task])
        num_validated = 0 if editor.validated is None else len(editor.validated)
        rows, validated = (torch.zeros(count, dtype=torch.int64) for count in (len(editor.data), num_validated))
        return cls(config, editor, table.to(editor.device), rows, validated)

    @property
    def parts(self) -> list[TrainedPart]:
        """The one vector."""
        return [TrainedPart(self.table, self.config.task_learning_rate_scale)]

    @property
    def data_description(self) -> str:
        """For a log line."""
        return f"{self.editor.data_description} of the task {self.config.invert_task}"

    def save(self, folder: Path, whole: Sequence[Mapping[str, Tensor]] | None) -> None:
        """Write ``NAME.safetensors``, which only the editor that it was learnt for takes; learnt tasks of other names
        that ``output`` holds stay there.
        """
        for other in sorted(self.config.output.glob(f"*{SUFFIX}")):
            shutil.copy2(other, folder / other.name)
        editor = frozen_hash(self.config.editor_location, self.config.revision)
        write_task(folder, InvertedTask(self.config.invert_task, self.table.vectors[0], editor))

    def write_samples(self, path: Path) -> None:
        """Write a grid of sample edits, all of the new task."""
        unet, vector = self.editor.pipeline.unet, self.table.vectors

        def conditioned(tasks: list[str]) -> TaskConditioned:
            has_task = torch.ones(len(tasks), dtype=torch.bool, device=vector.device)
            return TaskConditioned(unet, vector.detach().expand(len(tasks), -1), has_task)

        self.editor.write_samples(path, conditioned)

    def facts(self) -> dict[str, Any]:
        """Return the hashes and the number of examples."""
        return {**self.editor.facts(), "task": self.config.invert_task}

    def _loss(self, modules: Modules, batch: TaskBatch, data: TripletData) -> Tensor:
        rows = batch.rows.to(self.editor.device, non_blocking=True)
        conditioned = TaskConditioned(self.editor.pipeline.unet, modules[0](rows), rows != NO_TASK)
        return self.editor.pair_loss(conditioned, modules, batch.pairs, data)


def _check_schedule(config: TaskInversion) -> None:
    """Refuse settings by which the editor, which stays as it is, would be asked for what it did not learn to predict.

    Raises:
        BadInputError: ``prediction_type`` or ``zero_terminal_snr`` is another than the editor's.
    """
    scheduler = scheduler_in(config.folder)
    if scheduler is None:
        return
    own, is_zero = scheduler.config.prediction_type, bool(scheduler.config.get("rescale_betas_zero_snr"))
    config.check(config.prediction_type in (None, own), "prediction_type", f"{own}, or left out, {EDITOR_STAYS}")
    config.check(is_zero or not config.zero_terminal_snr, "zero_terminal_snr", f"false {EDITOR_STAYS}")
