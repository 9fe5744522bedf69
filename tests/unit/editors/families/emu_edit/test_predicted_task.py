"""Where an edit's task comes from: given, predicted by the profile's model, or neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from function_editors import request
from tiny_emu_edit import save_editor, save_predictor
from tiny_models import tiny_image

from editfoundry.editors.chosen_editor import ChosenEditor
from editfoundry.editors.edit_file import edit_file
from editfoundry.editors.editor import Editor
from editfoundry.editors.open_editor import find_editor, open_editor
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.evaluation.contestants_by_name import contestants_by_name
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile, load_profile

RUNTIME = choose_runtime("cpu")
ALWAYS = "style"
"""What the predictor says to everything."""
STEPS = {"num_inference_steps": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    return save_editor(tmp_path_factory.mktemp("emu"), vectors)


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile whose predictor is biased to one task."""
    where = tmp_path_factory.mktemp("profile")
    save_predictor(where / "predictor", ALWAYS)
    path = where / "mine.toml"
    path.write_text(f'[task_predictor]\nmodel = "{where}/predictor"\n[editor_base]\nmodel = "package:editor_base"\n')
    return path


@pytest.fixture(scope="module")
def profile(profile_file: Path) -> Profile:
    return load_profile(profile_file)


def edited(folder: Path, profile: Profile | None, own: str | None = None, **options: str) -> tuple[bytes, str]:
    editor = open_editor(str(folder), RUNTIME, profile, **STEPS, **options)
    [made] = editor.edit([request(tiny_image(1), "melt it", 3, task=own)])
    assert made.words is not None
    return made.require().tobytes(), made.words.text


def test_an_edit_without_a_task_gets_the_predicted_one_where_the_profile_predicts(
    folder: Path, profile: Profile
) -> None:
    styled, none = edited(folder, None, ALWAYS), edited(folder, None)
    assert styled[1] == "task style (given)" and none[1] == "no task"
    assert edited(folder, profile) == (styled[0], "task style (predicted)")
    assert edited(folder, profile, task="none") == none
    assert edited(folder, profile, "add") == edited(folder, None, "add")


def test_the_option_predicted_passes_over_what_is_given(folder: Path, profile: Profile) -> None:
    editor = open_editor(str(folder), RUNTIME, profile, **STEPS, task="predicted")
    made = editor.edit([request(tiny_image(1), "melt it", 3, task=task) for task in ("add", None)])
    assert [one.words and one.words.text for one in made] == ["task style (predicted)"] * 2


@pytest.mark.parametrize("choice", ["given", "predicted", "style"])
def test_an_edit_without_an_instruction_has_no_task_whatever_is_chosen(
    folder: Path, profile: Profile, choice: str
) -> None:
    editor = open_editor(str(folder), RUNTIME, profile, **STEPS, task=choice)
    made = editor.edit([request(tiny_image(1), text, 3, task="add") for text in ("", " ", "melt it")])
    told = [one.words and one.words.text for one in made]
    assert told[:2] == ["no task"] * 2 and told[2] != "no task"


def test_a_task_that_the_editor_has_not_is_none(
    folder: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = open_editor(str(folder), RUNTIME, profile, **STEPS)
    monkeypatch.setattr(type(editor.model.predictor()), "predict", lambda self, texts: ["fly"] * len(texts))
    [made] = editor.edit([request(tiny_image(1), "melt it", 3)])
    assert made.words is not None and made.words.text == "no task"


def test_predicted_without_a_model_that_predicts_is_one_line(folder: Path) -> None:
    with pytest.raises(BadInputError, match="task is predicted, but the profile names no model for the role 'task_p"):
        open_editor(str(folder), RUNTIME, **STEPS, task="predicted")


def test_a_predictor_that_is_not_on_this_machine_says_so_and_is_not_missed_where_a_task_is_given(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gone.toml"
    path.write_text(f'[task_predictor]\nmodel = "{tmp_path}/gone"\n')
    editor: Editor = open_editor(str(folder), RUNTIME, load_profile(path), **STEPS)
    given, untold = editor.edit([request(tiny_image(1), "melt it", task=task) for task in ("add", None)])
    assert given.failure is None
    assert untold.failure == "no-task-predictor"
    with pytest.raises(MissingModelError, match="role 'task_predictor': .* is not on this machine"):
        untold.require()


def test_edits_depend_on_the_model_that_predicts(folder: Path, profile: Profile) -> None:
    alone, helped = find_editor(str(folder)).identity, find_editor(str(folder), profile).identity
    assert helped[: len(alone)] == alone and len(helped) > len(alone)
    [contestant] = contestants_by_name([str(folder)], profile, RUNTIME)
    assert contestant.identity == helped and contestant.open().model.predictor is not None


def test_edit_explains_which_task_was_predicted(folder: Path, profile_file: Path, tmp_path: Path) -> None:
    tiny_image(1).save(tmp_path / "in.png")
    chosen = ChosenEditor(name=str(folder), profile=str(profile_file), device="cpu", options=STEPS)
    made = edit_file(tmp_path / "in.png", "melt it", tmp_path / "out.png", chosen, explain=tmp_path / "told")
    assert made.words is not None and made.words.text == "task style (predicted)"
    told = json.loads((tmp_path / "told/words.json").read_text())
    assert told == {"instruction": "melt it", "text": "task style (predicted)"}


def test_each_of_several_turns_tells_its_task(folder: Path, profile_file: Path, tmp_path: Path) -> None:
    tiny_image(1).save(tmp_path / "in.png")
    chosen = ChosenEditor(name=str(folder), profile=str(profile_file), device="cpu", options=STEPS)
    told = tmp_path / "told"
    edit_file(
        tmp_path / "in.png", "melt it", tmp_path / "out.png", chosen, task="add", later=["it melts"], explain=told
    )
    assert json.loads((told / "words.turn1.json").read_text()) == {"instruction": "melt it", "text": "task add (given)"}
    last = json.loads((told / "words.json").read_text())
    assert last == {"instruction": "it melts", "text": "task style (predicted)"}
    assert (tmp_path / "out.turn1.png").is_file() and (tmp_path / "out.png").is_file()
