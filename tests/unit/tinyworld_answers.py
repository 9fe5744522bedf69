"""Answers the quadruple writer's prompts truly, from tinyworld's rules: what a perfect language model says."""

from __future__ import annotations

import re
from typing import Any

from chat_server import Reply

from editfoundry.pretraining.quadruple_chats import sample_true
from editfoundry.synthesis.quadruples.quadruple_prompts import NULL, caption_answer, free_answer
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.quadruple_truth import sample_quadruple
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import random_stream


def answer(body: dict[str, Any], before: int) -> Reply:
    """Answer a chat that was made of the exemplars ``world``."""
    system, question = body["messages"][0]["content"], body["messages"][-1]["content"]
    if question.startswith("Caption: "):
        return Reply(from_caption(question.removeprefix("Caption: "), _category(system)))
    if question.startswith("Before: "):
        return Reply(category_of(re.search("Instruction: (.*)", question)[1]))
    return Reply(free(_category(system), int(re.search(r"\d+", question)[0]), body["seed"]))


def from_caption(caption: str, category: str) -> str:
    """Return the JSON for a caption, or null."""
    written = sample_quadruple(random_stream("caption", caption), scene_from_caption(caption), category)
    return NULL if written is None else caption_answer(written)


def category_of(instruction: str) -> str:
    """Return the category of an instruction of tinyworld's."""
    return next(rule.category for rule in trained_rules() if instruction in rule.wordings)


def free(category: str, count: int, seed: int) -> str:
    """Return a JSON list of that many true quadruples."""
    random = random_stream("free", category, seed)
    return free_answer([sample_true(random, category, "train") for _ in range(count)])


def _category(system: str) -> str:
    return re.search(r"Category of this task: ([\w-]+)", system)[1]
