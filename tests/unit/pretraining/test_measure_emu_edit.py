"""What is measured of an Emu Edit editor and of a task predictor."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_emu_edit import save_editor, save_predictor

from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.measure_emu_edit import TOLD, measure_emu_edit
from editfoundry.pretraining.recipes.task_predictor import measure_task_predictor
from editfoundry.profiles import ModelReference, Profile
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    reference = ModelReference(role="task_predictor", source=str(save_predictor(tmp_path / "predictor", "style")))
    return Profile(name="tiny", models={"task_predictor": reference})


def test_an_editor_is_measured_with_each_source_of_its_task(profile: Profile, tmp_path: Path) -> None:
    folder = save_editor(tmp_path / "emu")
    measures = measure_emu_edit(profile, choose_runtime("cpu"), str(folder), 15, num_inference_steps=1)
    assert {f"right_with_{name}" for name in TOLD} <= set(measures)
    assert {f"right_{task}" for task in MADE_TASKS} <= set(measures) and "right_by_another" in measures
    assert all(0 <= value <= 1 for value in measures.values())


def test_a_predictor_that_always_says_the_same_is_worth_what_the_most_frequent_task_is(profile: Profile) -> None:
    measures = measure_task_predictor(profile, choose_runtime("cpu"), 30)
    assert measures["accuracy_in_held_out_wordings"] == measures["accuracy_of_the_most_frequent_task"] == 2 / 30
    assert measures["lowest_of_a_task_in_held_out_wordings"] == 0
