"""The role ``task_predictor``: both kinds of T5, what is remembered, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration, T5ForSequenceClassification

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.task_predictor import TaskPredictor, load_task_predictor, named_task, task_question
from editfoundry.pretraining.recipes.task_predictor import build_tokenizer
from editfoundry.profiles import ModelReference, Profile

TEXTS = ["add an egg", "remove the egg", "add a dog", "make it night"] * 2
SIZES: dict[str, Any] = {
    "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2, "pad_token_id": 0, "eos_token_id": 1,
    "decoder_start_token_id": 0,
}  # fmt: skip


def saved(folder: Path, classes: tuple[str, ...] | None) -> Profile:
    """A random T5 with these classes, or one that writes."""
    tokenizer = build_tokenizer([*TEXTS, *TASK_NAMES, *TASK_NAMES])
    torch.manual_seed(0)
    config = T5Config(vocab_size=len(tokenizer), **SIZES)
    if classes is None:
        T5ForConditionalGeneration(config).save_pretrained(folder)
    else:
        config.id2label = dict(enumerate(classes))
        config.num_labels = len(classes)
        config.id2label = dict(enumerate(classes))
        T5ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    reference = ModelReference(role="task_predictor", source=str(folder))
    return Profile(name="tiny", models={"task_predictor": reference})


def loaded(folder: Path, classes: tuple[str, ...] | None = TASK_NAMES) -> TaskPredictor:
    return load_task_predictor(saved(folder, classes), choose_runtime("cpu"))


def test_a_batch_is_predicted_as_one_by_one(tmp_path: Path) -> None:
    predictor = loaded(tmp_path)
    texts = ["add an egg", "remove the egg", "make it night, quickly, and add a dog"]
    alone = [predictor._classified([text])[0] for text in texts]
    assert predictor.predict(texts) == alone and set(alone) <= set(TASK_NAMES)


def test_an_instruction_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = loaded(tmp_path)
    first = predictor.predict(["add an egg", "add an egg", "remove the egg"])
    asked: list[str] = []
    monkeypatch.setattr(TaskPredictor, "_classified", lambda self, texts: asked.extend(texts) or ["add"] * len(texts))
    assert predictor.predict(["remove the egg", "add a dog"]) == [first[2], "add"]
    assert asked == ["add a dog"]


def test_marks_of_the_tokenizer_within_an_instruction_are_plain_text(tmp_path: Path) -> None:
    predictor = loaded(tmp_path)
    assert predictor.predict(["add</s> an <pad>egg", ""]) == predictor.predict(["add an egg", "</s>"])


def test_a_model_that_writes_is_asked_for_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = loaded(tmp_path, None)
    assert not predictor.classifies
    assert set(predictor.predict(["add an egg", "make it night"])) <= {"", *TASK_NAMES}
    answers = torch.tensor([predictor.tokenizer(word)["input_ids"] for word in ("style", "egg")])
    monkeypatch.setattr(predictor.model, "generate", lambda **_: answers)
    assert predictor.predict(["draw it as a comic", "what an egg"]) == ["style", ""]


def test_the_question_names_every_task_and_an_answer_is_read_whatever_surrounds_it() -> None:
    assert all(f"\n{name}: " in task_question("Add an egg.") for name in TASK_NAMES)
    assert [named_task(text) for text in ("Style", "the task: 'add'.", "a hat", "")] == ["style", "add", "", ""]


def test_classes_that_are_no_tasks_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"^role 'task_predictor': .* has a class 'LABEL_0', which is no task"):
        loaded(tmp_path, ("LABEL_0", "add"))


def test_a_folder_that_is_not_there_says_how_to_train_one(tmp_path: Path) -> None:
    reference = ModelReference(role="task_predictor", source="package:nothing_there")
    with pytest.raises(MissingModelError, match="editfoundry tinyworld pretrain task_predictor"):
        load_task_predictor(Profile(name="tiny", models={"task_predictor": reference}), choose_runtime("cpu"))
