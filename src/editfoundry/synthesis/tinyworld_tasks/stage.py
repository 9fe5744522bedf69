"""Shards of tinyworld's task edits, their outputs exactly what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from editfoundry.data.edit_tasks import EditTask, TaskGroup
from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.stage_result import StageResult
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.task_edit import TaskEdit
from editfoundry.tinyworld.tasks.task_sampling import sample_task_edit

RECIPE = "tinyworld-tasks"
Reword = Callable[[np.random.Generator, TaskEdit], str]
"""Draws another instruction for an edit."""
_LOCATED = (EditTask.DETECT, EditTask.SEGMENT)
"""Vision tasks that change a part of the picture, as those of the group ``region`` do."""


@dataclass(frozen=True)
class TaskTripletStage(ShardStage[range, None, Triplet]):
    """Triplets of the tasks in turns; a shard's source is the numbers of its edits."""

    config: TaskTripletConfig
    source: None = None

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    def shards(self) -> list[Shard[range]]:
        """Return the edits' numbers in parts."""
        count, size = self.config.num_triplets, self.config.triplets_per_shard
        parts = [range(start, min(start + size, count)) for start in range(0, count, size)]
        return [Shard(f"{number:05}", part, len(part)) for number, part in enumerate(parts)]

    def digest(self, shard: Shard[range], target: Path) -> str:
        """Hash what draws the edits."""
        drawn = self.config
        return input_hash(
            RECIPE, drawn.seed, drawn.tasks, drawn.split, drawn.held_out_wording, shard.source.start, shard.source.stop
        )

    def setup(self) -> None:
        """Load nothing: the world draws them."""

    def process(self, models: None, shard: Shard[range], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield a triplet for each number."""
        for number in shard.source:
            yield task_triplet(self.config, number)


def task_triplet(config: TaskTripletConfig, number: int, reword: Reword | None = None) -> Triplet:
    """Return the triplet of a number; it has a mask where the task changes a part of the picture.

    ``reword`` words its instruction otherwise.
    """
    task = config.tasks[number % len(config.tasks)]
    random = random_stream(RECIPE, config.seed, config.split, task, number)
    edit = sample_task_edit(random, config.split, task, config.held_out_wording)
    has_mask = task.group is TaskGroup.REGION or task in _LOCATED
    return Triplet(
        instruction=edit.instruction if reword is None else reword(random, edit),
        input_image=Image.fromarray(edit.input_image),
        output_image=Image.fromarray(edit.output_image),
        input_caption=edit.input_caption,
        output_caption=edit.output_caption,
        category=str(task),
        task=str(task),
        recipe=RECIPE,
        source=f"{RECIPE}:{config.seed}:{number}",
        mask=Image.fromarray(edit.region).convert("L") if has_mask else None,
    )


def write_task_triplets(
    output: Path, config: TaskTripletConfig, progress: Progress | None = None, *, replace: bool = False
) -> StageResult:
    """Make the shards that are not there yet.

    Raises:
        BadInputError: ``output`` holds something else.
    """
    return run_stage(TaskTripletStage(config), output, progress=progress, replace=replace)
