"""Every task's edits: seen, judged, worded in two ways, of their split, the same at any size."""

import numpy as np
import pytest

from editfoundry.data.edit_tasks import EditTask, TaskGroup
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.outcome import defect, judge_outcome
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.task_edit import TaskEdit, case_of_task_edit, wrong_drawings
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS, sample_task_edit

EACH_TASK = pytest.mark.parametrize("task", MADE_TASKS)


def edits(task: EditTask, count: int = 4, held_out_wording: bool = False) -> list[TaskEdit]:
    return [
        sample_task_edit(random_stream("task test", task, n), "train", task, held_out_wording) for n in range(count)
    ]


@EACH_TASK
def test_an_edit_shows_and_the_same_random_numbers_give_it_again(task: EditTask) -> None:
    for edit, again in zip(edits(task), edits(task), strict=True):
        assert edit.task == task and edit.region.mean() >= 0.005
        assert edit.instruction == again.instruction and np.array_equal(edit.output_image, again.output_image)
        assert edit.instruction[0].isupper() and "{" not in edit.instruction
        assert edit.input_image.shape == edit.output_image.shape == (64, 64, 3)
        assert edit.input_image.dtype == edit.output_image.dtype == np.uint8


@EACH_TASK
def test_the_truth_is_right_and_at_least_twelve_wrong_outcomes_are_not(task: EditTask) -> None:
    for number, edit in enumerate(edits(task, 3)):
        wrong = wrong_drawings(edit, random_stream(number))
        assert wrong is not None and len(wrong) >= 12
        case = case_of_task_edit("one", edit, wrong)
        assert defect(case) is None
        assert judge_outcome(case.true_output, case).sharp
        assert not judge_outcome(case.input_image, case).right
        assert not any(judge_outcome(picture, case).right for picture in case.wrong_outputs)


@EACH_TASK
def test_a_held_out_wording_asks_for_the_same_in_other_words(task: EditTask) -> None:
    for trained, held_out in zip(edits(task), edits(task, held_out_wording=True), strict=True):
        assert trained.instruction != held_out.instruction
        assert np.array_equal(trained.output_image, held_out.output_image)


@EACH_TASK
def test_an_edit_is_the_same_one_at_twice_the_size(task: EditTask) -> None:
    if task == EditTask.CANNY:
        pytest.skip("Canny's edges are one pixel wide at any size")
    edit = edits(task, 1)[0]
    for drawing in (edit.before, edit.after):
        halved = drawing(128).reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
        assert np.abs(halved - drawing(64)).mean() < 12


@pytest.mark.parametrize("task", [task for task in MADE_TASKS if task.group == TaskGroup.REGION])
def test_an_edit_of_a_region_leaves_most_of_the_picture(task: EditTask) -> None:
    if task == EditTask.BACKGROUND:
        pytest.skip("the background is most of a picture")
    assert np.mean([edit.region.mean() for edit in edits(task, 8)]) < 0.3


def test_tinyworld_makes_all_tasks_but_says_which_one_it_does_not() -> None:
    assert set(EditTask) - set(MADE_TASKS) <= {EditTask.POSE}
    for task in set(EditTask) - set(MADE_TASKS):
        with pytest.raises(BadInputError, match="does not make the task pose"):
            sample_task_edit(random_stream(0), "train", task)
