"""The role ``task_predictor``: tells which of Emu Edit's tasks an instruction is (section 3.3 of the paper)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch

from editfoundry.data.edit_tasks import TASK_NAMES, EditTask
from editfoundry.errors import BadInputError
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.tokenizer_check import check_tokenizer
from editfoundry.profiles import ModelReference, Profile

MAX_TOKENS = 64
"""Of an instruction that a classifier reads; the rest is cut off."""
MAX_PROMPT_TOKENS = 512
"""Of the question that a model is asked which writes the task's name."""
MAX_NAME_TOKENS = 8
NUM_REMEMBERED = 4096
"""Instructions whose task is not asked for again."""
Classify = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class TaskPredictor:
    """A T5 with its tokenizer: one that classifies, or one that writes a task's name when it is asked for it."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Any
    tokenizer: Any
    runtime: Runtime
    batch_size: int = PASS_SIZES["task_predictor"]
    """Instructions that go through the model together."""
    _known: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def classifies(self) -> bool:
        """Whether the model has a class for each task."""
        return is_classifier(self.model.config)

    def predict(self, instructions: Sequence[str]) -> list[str]:
        """Return each instruction's task, one of `TASK_NAMES`; empty where the model names none.

        Equal instructions are asked once, those of earlier calls not again.
        """
        asked = [text for text in dict.fromkeys(instructions) if text not in self._known]
        found = dict(zip(asked, self._asked(asked), strict=True)) if asked else {}
        answers = [found.get(text, self._known.get(text, "")) for text in instructions]
        if len(self._known) + len(found) > NUM_REMEMBERED:
            self._known.clear()
        self._known.update(found)
        return answers

    @with_model_at_work
    @torch.inference_mode()
    def _asked(self, instructions: Sequence[str]) -> list[str]:
        ask = self._classified if self.classifies else self._written
        parts = Passes(self.batch_size).run(len(instructions), lambda part: ask(instructions[part]))
        return list(chain.from_iterable(parts))

    def _classified(self, instructions: Sequence[str]) -> list[str]:
        logits = self.model(**self._tokens(instructions, MAX_TOKENS)).logits
        return [str(self.model.config.id2label[place]) for place in logits.argmax(-1).tolist()]

    def _written(self, instructions: Sequence[str]) -> list[str]:
        tokens = self._tokens([task_question(text) for text in instructions], MAX_PROMPT_TOKENS)
        written = self.model.generate(**tokens, max_new_tokens=MAX_NAME_TOKENS, do_sample=False, num_beams=1)
        return [named_task(text) for text in self.tokenizer.batch_decode(written, skip_special_tokens=True)]

    def _tokens(self, texts: Sequence[str], length: int) -> dict[str, torch.Tensor]:
        # What ends a sentence within it would end it twice, which the classifier refuses.
        plain = [_without(text, self.tokenizer.all_special_tokens) for text in texts]
        tokens = self.tokenizer(plain, padding=True, truncation=True, max_length=length, return_tensors="pt")
        return {name: tokens[name].to(self.runtime.device) for name in ("input_ids", "attention_mask")}


def load_task_predictor(profile: Profile, runtime: Runtime) -> TaskPredictor:
    """Load the profile's task predictor: a T5 that classifies, or any T5 that writes.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded, or its classes are no tasks.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, T5ForSequenceClassification

    reference = profile.model("task_predictor")
    with opening(reference, "a T5") as options:
        config = AutoConfig.from_pretrained(reference.location, **options)
        model_class: Any = AutoModelForSeq2SeqLM
        if is_classifier(config):
            _check_classes(reference, config)
            model_class = T5ForSequenceClassification
        model: Any = load_whole(model_class, reference, dtype=runtime.dtype, **options)
        tokenizer: Any = AutoTokenizer.from_pretrained(reference.location, **options)
    check_tokenizer(tokenizer, reference)
    own = runtime.of(reference)
    batch_size = reference.max_pictures_per_pass or PASS_SIZES["task_predictor"]
    return TaskPredictor(str(reference), place(model.eval(), own), tokenizer, own, batch_size)


def is_classifier(config: Any) -> bool:
    """Whether a configuration is a classifier's."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or ())


def task_question(instruction: str) -> str:
    """Return what a model is asked that writes the task of an instruction."""
    tasks = "\n".join(f"{task.value}: {task.description}" for task in EditTask)
    return (
        f"An instruction says how to edit a picture. Which of these tasks is it?\n{tasks}\n\n"
        f"Instruction: {instruction}\nAnswer with the name of the task alone.\nTask:"
    )


def named_task(text: str) -> str:
    """Return the first task that a model's answer names; empty for none."""
    return next((word for word in re.findall(r"[a-z]+", text.lower()) if word in TASK_NAMES), "")


def _check_classes(reference: ModelReference, config: Any) -> None:
    unknown = next((label for label in config.id2label.values() if label not in TASK_NAMES), None)
    if unknown is not None:
        raise BadInputError(
            f"role {reference.role!r}: {reference}: has a class {unknown!r}, which is no task; its classes must be of "
            f"{', '.join(TASK_NAMES)}"
        )


def _without(text: str, tokens: Sequence[str]) -> str:
    for token in tokens:
        text = text.replace(token, " ")
    return text
