"""The instruction agent: a language model that thinks of an edit of one task for a caption (Emu Edit, section 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import Chat, ChatAnswer, Message, Request
from editfoundry.synthesis.emu_edit.agent_config import AgentConfig
from editfoundry.synthesis.emu_edit.agent_exemplars import ANSWER_FIELDS, TaskExemplars
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.quadruples.answers import PROMPT_FAILED, UNPARSABLE, check_answered, json_objects
from editfoundry.synthesis.quadruples.seeding import random_of, seed_of

WRONG_TASK = "edit of another task"
NOT_IN_CAPTION = "object not in the caption"
_ON_A_THING = (EditTask.LOCAL, EditTask.REMOVE, EditTask.TEXTURE, EditTask.DETECT, EditTask.SEGMENT)
"""Tasks that need a thing of the caption."""


def write_task_instructions(
    captions: Sequence[Caption], exemplars: TaskExemplars, config: AgentConfig, asker: Asker
) -> tuple[list[TaskInstruction], list[RejectedRow]]:
    """Return the agent's edits of one task, in the captions' order, and the captions that got none, with the reason.

    All captions that have none yet are asked about at once; an unusable answer is asked for anew with another seed,
    other exemplars and other verbs.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    written: dict[int, TaskInstruction] = {}
    failed: dict[int, Rejection] = {}
    open_ones = list(range(len(captions)))
    for attempt in range(config.max_attempts):
        requests = [_request(captions[number], exemplars, config, attempt) for number in open_ones]
        for number, answer in zip(open_ones, asker.ask(requests, config.sampling), strict=True):
            try:
                written[number] = read_task_instruction(answer, captions[number], exemplars.task, config)
            except Rejection as reason:
                failed[number] = reason
        open_ones = [n for n in open_ones if n not in written and failed[n].reason != PROMPT_FAILED]
    rejected = [
        RejectedRow(captions[n].id, reason.reason, reason.detail, {"caption": captions[n].caption})
        for n, reason in sorted(failed.items())
        if n not in written
    ]
    return [written[n] for n in sorted(written)], rejected


def read_task_instruction(answer: ChatAnswer, caption: Caption, task: EditTask, config: AgentConfig) -> TaskInstruction:
    """Check an answer and return the edit that it holds.

    Raises:
        Rejection: there is no answer or no JSON in it; a field is missing or too long; the thing is not in the caption;
            or the edit is one of another task.
    """
    check_answered(answer)
    objects = json_objects(answer.text)
    if not objects:
        raise Rejection(UNPARSABLE, answer.text[:200])
    fields = {name: _text(objects[0], name, config) for name in ANSWER_FIELDS}
    made = TaskInstruction(task=task, caption=caption.caption, source=caption.id, **fields, reads_output=False)
    _check_task(made)
    return made


def _text(fields: Mapping[str, Any], name: str, config: AgentConfig) -> str:
    """Return a field; only objects may be empty."""
    is_object = name.endswith("_object")
    limits = {"edit": config.max_edit_characters, "output": config.max_caption_characters}
    limit = limits.get(name, config.max_object_characters)
    label = name.replace("_", " ")
    value = fields.get(name, fields.get(label))
    if value is None and is_object:
        value = ""
    if not isinstance(value, str) or not (value.strip() or is_object):
        raise Rejection(f"no {label}", f"{value!r}"[:200])
    text = " ".join(value.split())
    if len(text) > limit:
        raise Rejection(f"{label} too long", f"{len(text)} characters; at most {limit}")
    if not text.isprintable():
        raise Rejection(f"control characters in {label}", repr(text)[:200])
    return text


def _check_task(made: TaskInstruction) -> None:
    """Raise Rejection where captions and objects tell of another task than the one that was asked for."""
    if _words(made.output) == _words(made.caption):
        raise Rejection("nothing changes", made.output)
    thing, new = made.original_object, made.edited_object
    if made.task in _ON_A_THING and not thing:
        raise Rejection(WRONG_TASK, f"{made.task} needs an object, and none is named")
    if made.task is EditTask.ADD and thing:
        raise Rejection(WRONG_TASK, f"nothing was there before what is added, not {thing!r}")
    if thing and not _says(made.caption, thing):
        raise Rejection(NOT_IN_CAPTION, thing)
    if made.task is EditTask.ADD and not (new and _says(made.output, new)):
        raise Rejection(WRONG_TASK, f"{new!r} is to be added, but the output caption does not name it")
    if made.task is EditTask.REMOVE and _says(made.output, thing):
        raise Rejection(WRONG_TASK, f"{thing!r} is to go, but the output caption names it")
    if made.task in (EditTask.LOCAL, EditTask.TEXTURE) and not _says(made.output, new):
        raise Rejection(WRONG_TASK, f"the output caption does not name {new!r}")


def _says(text: str, words: str) -> bool:
    """Whether a text has these words, one after the other."""
    return f" {' '.join(_words(words))} " in f" {' '.join(_words(text))} "


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def _request(caption: Caption, exemplars: TaskExemplars, config: AgentConfig, attempt: int) -> Request:
    key = ("emu-edit agent", config.seed, exemplars.task.value, caption.id, attempt)
    chat = _chat(caption.caption, exemplars, config, key)
    return Request(chat=chat, seed=seed_of(*key), body={"response_format": _FORMAT})


def _chat(caption: str, exemplars: TaskExemplars, config: AgentConfig, key: tuple[object, ...]) -> Chat:
    """Return the prompt: what is wanted, a random share of the exemplars in random order, and the caption."""
    random = random_of(*key)
    count = max(1, round(config.exemplar_share * len(exemplars.exemplars)))
    shown = [exemplars.exemplars[int(n)] for n in random.permutation(len(exemplars.exemplars))[:count]]
    verbs = ", ".join(str(verb) for verb in random.permutation(list(exemplars.verbs)))
    fields = ", ".join(f'"{name}": "..."' for name in ANSWER_FIELDS)
    told = (
        f"You think of edits of pictures. The task is {exemplars.task.value}: {exemplars.task.description}. Given the "
        f"caption of a picture, answer with JSON alone: {{{fields}}}. edit is an instruction, for example with one of "
        f"the verbs {verbs}; original_object is the caption's words for what it changes, edited_object what becomes of "
        "that (each empty where there is none); output is the caption of the edited picture."
    )
    messages = [Message("system", told)]
    for one in shown:
        messages += [Message("user", one.caption), Message("assistant", json.dumps(dict(one.answer)))]
    return (*messages, Message("user", caption))


_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "edit",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ANSWER_FIELDS},
            "required": list(ANSWER_FIELDS),
            "additionalProperties": False,
        },
    },
}
"""What an endpoint is held to; local models take no notice of it."""
