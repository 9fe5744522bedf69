"""The embedded task predictor's recipe: what it reads, that it learns, and how it is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from editfoundry.data.edit_tasks import EditTask
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.task_predictor import load_task_predictor
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.recipes import task_predictor
from editfoundry.pretraining.shipping import saver
from editfoundry.pretraining.task_wordings import FURTHER_WORDINGS, further_instruction, reworded
from editfoundry.profiles import ModelReference, Profile
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks import colour_changes, global_changes, lettering, maps, marks, scene_edits, styles
from editfoundry.tinyworld.tasks import textures as texture_changes
from editfoundry.tinyworld.tasks.task_sampling import MADE_TASKS, SAMPLERS, sample_task_edit
from editfoundry.tinyworld.tasks.wording import Wordings

MODULES = (colour_changes, global_changes, lettering, maps, marks, scene_edits, styles, texture_changes)


def test_tasks_take_turns_and_half_of_the_instructions_are_in_further_wordings() -> None:
    count = 20 * len(MADE_TASKS)
    further = sum(
        task_predictor.instruction_of(number)
        != SAMPLERS[MADE_TASKS[number % 15]](_after_the_choice(number), "train", False).instruction
        for number in range(count)
    )
    assert 0.4 <= further / count <= 0.6


def _after_the_choice(number: int):  # type: ignore[no-untyped-def]
    random = random_stream("task_predictor", number)
    random.random()
    return random


def test_no_further_wording_is_one_that_tinyworld_keeps_for_tests() -> None:
    kept = [one for module in MODULES for one in vars(module).values() if isinstance(one, Wordings)]
    held_out = {text.lower() for one in kept for text in one.held_out}
    assert len(held_out) >= 25
    for task_map in maps.MAPS.values():
        told = {text.replace("{the_map}", f"the {task_map.name}") for text in held_out}
        held_out |= {text.replace("{a_map}", f"a {task_map.name}").lower() for text in told}
    for slot in ("{time}", "{season}", "{weather}"):
        held_out |= {text.replace(slot, "{when}") for text in held_out}
    assert not held_out & {text.lower() for texts in FURTHER_WORDINGS.values() for text in texts}
    assert set(FURTHER_WORDINGS) == set(MADE_TASKS)


@pytest.mark.parametrize("task", MADE_TASKS)
def test_every_further_wording_is_filled_in(task: EditTask) -> None:
    texts = [further_instruction(random_stream("further", task, number), task) for number in range(30)]
    assert not [text for text in texts if "{" in text or not text[0].isupper() and text[0] != '"']
    assert len(set(texts)) > 15


def test_the_tokenizer_knows_the_words_it_saw_in_lower_case_and_ends_every_instruction() -> None:
    tokenizer = task_predictor.build_tokenizer(["Add an egg.", "add an EGG!", "Remove."])
    ids = tokenizer(["ADD an egg, quickly."])["input_ids"][0]
    # Words that were seen once are unknown: training would learn them by heart.
    assert tokenizer.convert_ids_to_tokens(ids) == ["add", "an", "egg", "<unk>", "<unk>", ".", "</s>"]


def test_a_trained_predictor_learns_and_is_saved_and_loaded_as_its_role(tmp_path: Path) -> None:
    config = PretrainingConfig(num_steps=80, batch_size=48, learning_rate=5e-3, num_warmup_steps=5, ema_decay=0.9)
    model, tokenizer, _ = task_predictor.train_task_predictor(tmp_path, torch.device("cpu"), config, 600)
    saver(model, tokenizer)(tmp_path / "shipped")
    assert (tmp_path / "shipped/model.safetensors").stat().st_size <= 0.4 * 2**20
    reference = ModelReference(role="task_predictor", source=str(tmp_path / "shipped"))
    profile = Profile(name="tiny", models={"task_predictor": reference})
    predictor = load_task_predictor(profile, choose_runtime("cpu"))
    texts = [task_predictor.instruction_of(number) for number in range(600, 750)]
    right = [found == MADE_TASKS[number % 15] for number, found in enumerate(predictor.predict(texts))]
    assert sum(right) / len(right) > 0.6


@pytest.mark.parametrize("task", MADE_TASKS)
def test_an_edit_in_further_words_tells_the_same_and_has_no_slot_left(task: EditTask) -> None:
    others = 0
    for number in range(12):
        random = random_stream("reworded", task, number)
        edit = sample_task_edit(random, "train", task, held_out_wording=False)
        text = reworded(random, edit)
        others += text != edit.instruction
        assert "{" not in text
        names = {name: words for name, words in edit.said.items() if name not in ("the_map", "a_map", "a_texture")}
        assert all(words.lower() in text.lower() for words in names.values()) or text == edit.instruction
    # What the further wordings say of signs is of no edit in particular.
    assert others == 0 if task is EditTask.TEXT else others > 9
