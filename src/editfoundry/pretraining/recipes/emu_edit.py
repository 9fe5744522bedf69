"""The embedded Emu Edit editor: the embedded base, fine-tuned by the trainer on true triplets of tinyworld's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers import StableDiffusionInstructPix2PixPipeline

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.editors.families.emu_edit.task_table import TaskTable, read_task_table
from editfoundry.editors.families.emu_edit.training_config import EmuEditTraining
from editfoundry.editors.train import train_editor
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard
from editfoundry.execution.shard_store import ShardNotes
from editfoundry.pretraining.editor_training import open_trained, trainer_settings
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.parallel_drawing import on_all_cores
from editfoundry.pretraining.task_wordings import reworded
from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
from editfoundry.synthesis.tinyworld_tasks.stage import TaskTripletStage, task_triplet
from editfoundry.tinyworld.tasks.task_edit import TaskEdit
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS

NUM_TRIPLETS = 45_000
"""Three thousand of each task."""
FURTHER_SHARE = 0.5
"""Share of the instructions in one of the task predictor's further wordings."""
TOKEN_DROPOUT = 0.1
"""Instructions lose words, so that the few wordings of each task are not learnt by heart."""
OUTPUT = "emu_edit"
"""Folder of the trainer's checkpoint, in the work folder."""
CONFIG = PretrainingConfig(num_steps=16_000, batch_size=32, learning_rate=1.2e-3, ema_decay=0.999, num_warmup_steps=100)
ON_GPU = {"num_steps": 16_000, "batch_size": 384, "learning_rate": 1.5e-3, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_triplets": 90_000}


def train_emu_edit(
    work_dir: Path,
    start: Path,
    config: PretrainingConfig = CONFIG,
    num_triplets: int = NUM_TRIPLETS,
    data_seed: int = 0,
) -> tuple[StableDiffusionInstructPix2PixPipeline, TaskTable, PretrainingResult]:
    """Draw triplets of all tasks in turns, and fine-tune the editor ``start``, text encoder included, with a table.

    An interrupted run resumes; the trainer chooses the device. Another ``data_seed`` draws other triplets.
    """
    dataset = draw(work_dir, num_triplets, data_seed)
    training = EmuEditTraining(
        editor=str(start),
        dataset=dataset,
        token_dropout=TOKEN_DROPOUT,
        # Its start has never read the names of textures, styles and maps.
        train_text_encoder=True,
        **trainer_settings(work_dir, OUTPUT, config),
    )
    summary = train_editor(training)
    table = read_task_table(work_dir / OUTPUT)
    return open_trained(work_dir / OUTPUT), table, PretrainingResult.of_summary(summary)


def draw(work_dir: Path, num_triplets: int = NUM_TRIPLETS, data_seed: int = 0) -> Path:
    """Draw the triplets, where that was not done, and return their folder."""
    dataset = work_dir / "data" / f"emu-edit-{num_triplets}-{data_seed}"
    write_task_edits(dataset, num_triplets, data_seed)
    return dataset


def write_task_edits(folder: Path, count: int, seed: int = 0) -> None:
    """Write shards of the training split's triplets, on all cores; finished shards stay as they are."""
    config = TaskTripletConfig(num_triplets=count, tasks=MADE_TASKS, seed=seed)
    run_stage(_WordedTriplets(config), folder, executor=on_all_cores)


@dataclass(frozen=True)
class _WordedTriplets(TaskTripletStage):
    """The same edits; some of them in further wordings, which stand for what a large model knows of words."""

    def digest(self, shard: Shard[range], target: Path) -> str:
        """Hash what draws the edits."""
        return input_hash(super().digest(shard, target), FURTHER_SHARE)

    def process(self, models: None, shard: Shard[range], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield a triplet for each number."""
        return (task_triplet(self.config, number, _reword) for number in shard.source)


def _reword(random: np.random.Generator, edit: TaskEdit) -> str:
    return reworded(random, edit) if random.random() < FURTHER_SHARE else edit.instruction
