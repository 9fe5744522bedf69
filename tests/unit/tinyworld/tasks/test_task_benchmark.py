"""The tasks' benchmark: every task in turns, answerable, not by trivial editors."""

import numpy as np
import pytest

from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.guesses import is_guessed
from editfoundry.tinyworld.outcome import defect, judge_outcome
from editfoundry.tinyworld.tasks.task_benchmark import task_cases
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS


@pytest.fixture(scope="module")
def cases() -> list[EditCase]:
    return task_cases(2 * len(MADE_TASKS), seed=0)


def test_the_tasks_take_turns_and_every_case_can_be_answered(cases: list[EditCase]) -> None:
    assert [case.task for case in cases] == [str(task) for task in MADE_TASKS] * 2
    assert {defect(case) for case in cases} == {None}
    assert not any(is_guessed(case) for case in cases)
    assert all(len(case.wrong_outputs) >= 12 for case in cases)


def test_grey_noise_and_the_mean_of_all_truths_are_right_nowhere(cases: list[EditCase]) -> None:
    mean = np.mean([case.true_output for case in cases], axis=0).round().astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, mean.shape, dtype=np.uint8)
    guesses = (np.full_like(mean, 128), noise, mean)
    assert sum(judge_outcome(guess, case).right for case in cases for guess in guesses) <= 0.03 * 3 * len(cases)


def test_cases_are_the_same_ones_at_any_size(cases: list[EditCase]) -> None:
    large = task_cases(2, seed=0, side=128)
    assert [case.instruction for case in large] == [case.instruction for case in cases[:2]]
    assert large[0].wrong_outputs.shape[1:] == (128, 128, 3)
