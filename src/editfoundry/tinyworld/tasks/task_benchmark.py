"""Cases of every task, to measure editors on."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.kept_cases import kept_at_world_size
from editfoundry.tinyworld.outcome import defect
from editfoundry.tinyworld.scene import IMAGE_SIZE
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.task_edit import case_of_task_edit, wrong_drawings
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS, sample_task_edit


def task_cases(count: int, seed: int, side: int = IMAGE_SIZE, tasks: Sequence[EditTask] = MADE_TASKS) -> list[EditCase]:
    """Return ``count`` cases as pictures of ``side`` pixels: unseen combinations and wordings, the tasks in turns."""
    return [
        _case(side, f"tasks-{seed}-{number:05d}", tasks[number % len(tasks)], seed, number) for number in range(count)
    ]


@kept_at_world_size
def _case(side: int, identifier: str, task: EditTask, seed: int, number: int) -> EditCase:
    """Draw edits until one can be judged and no guess answers it."""
    random = random_stream("benchmark", "tasks", seed, number)
    while True:
        edit = sample_task_edit(random, "test", task, held_out_wording=True)
        wrong = wrong_drawings(edit, random)
        if wrong is None:
            continue
        case = case_of_task_edit(identifier, edit, wrong)
        if defect(case) is None and not is_guessed(case):
            return case if side == IMAGE_SIZE else case_of_task_edit(identifier, edit, wrong, side)
