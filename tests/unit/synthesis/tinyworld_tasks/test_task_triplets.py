"""True triplets of tasks: in turns, with their task, the same again, nothing held out in training."""

from pathlib import Path

import numpy as np
import pytest

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError
from editfoundry.synthesis.tinyworld_tasks.config import TaskTripletConfig
from editfoundry.synthesis.tinyworld_tasks.stage import task_triplet, write_task_triplets
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS


def test_triplets_of_all_tasks_in_turns_are_written_and_read_with_their_task(tmp_path: Path) -> None:
    config = TaskTripletConfig(num_triplets=17, tasks=MADE_TASKS, triplets_per_shard=10)
    result = write_task_triplets(tmp_path / "tasks", config)
    triplets = list(read_triplets(tmp_path / "tasks"))
    assert (result.num_out, result.num_shards) == (17, 2)
    assert [triplet.task for triplet in triplets] == [*MADE_TASKS, *MADE_TASKS[:2]]
    assert write_task_triplets(tmp_path / "tasks", config).num_shards_reused == 2


def test_a_triplet_has_a_mask_of_what_changes_where_its_task_changes_a_part() -> None:
    for task in MADE_TASKS:
        triplet = task_triplet(TaskTripletConfig(tasks=(task,)), 0)
        assert (triplet.mask is not None) == (task.group == "region" or task in (EditTask.DETECT, EditTask.SEGMENT))
        if triplet.mask is not None:
            kept = np.asarray(triplet.mask) == 0
            change = np.abs(np.asarray(triplet.output_image).astype(int) - np.asarray(triplet.input_image))
            assert change[kept].max() <= 8 < change[~kept].max()


def test_another_seed_or_split_gives_other_triplets() -> None:
    ids = {
        task_triplet(TaskTripletConfig(tasks=(EditTask.LOCAL,), seed=seed, split=split), 0).id
        for seed in (0, 1)
        for split in ("train", "test")
    }
    assert len(ids) == 4


def test_no_task_and_no_triplet_are_refused() -> None:
    with pytest.raises(BadInputError, match="name at least one task"):
        TaskTripletConfig(tasks=())
    with pytest.raises(BadInputError, match="tasks has 'local' twice"):
        TaskTripletConfig(tasks=(EditTask.LOCAL, EditTask.LOCAL))
    with pytest.raises(BadInputError, match="num_triplets is 0"):
        TaskTripletConfig(tasks=MADE_TASKS, num_triplets=0)
