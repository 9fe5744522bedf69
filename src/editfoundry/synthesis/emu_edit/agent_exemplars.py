"""What the instruction agent is shown of each task: its verbs, and captions with answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.bounds import check_each_once
from editfoundry.data.edit_tasks import TASK_NAMES, EditTask
from editfoundry.errors import BadInputError
from editfoundry.synthesis.prompt_files import read_prompt_file, tables_of, text_of, texts_of

_FOLDER = Path(__file__).parent / "exemplar_files"
ANSWER_FIELDS = ("edit", "edited_object", "output", "original_object")


@dataclass(frozen=True, kw_only=True)
class AgentExemplar:
    """A caption, and the answer that is wanted for it."""

    caption: str
    answer: Mapping[str, str]
    """Each of ``ANSWER_FIELDS``."""


@dataclass(frozen=True, kw_only=True)
class TaskExemplars:
    """What shows one task."""

    task: EditTask
    verbs: tuple[str, ...]
    exemplars: tuple[AgentExemplar, ...]


def exemplars_path(name_or_path: str) -> Path:
    """Return the file of exemplars.

    Raises:
        BadInputError: there is no such file.
    """
    return read_prompt_file(name_or_path, _FOLDER, "exemplars")[0]


def load_task_exemplars(name_or_path: str) -> dict[EditTask, TaskExemplars]:
    """Read ``tinyworld``, or any TOML file of the same layout.

    Raises:
        BadInputError: there is no such file, or it is malformed; the message names the file and the place.
    """
    path, data = read_prompt_file(name_or_path, _FOLDER, "exemplars")
    entries = tables_of(data, "tasks", str(path))
    read = [_task(entry, f"{path}: task {number}") for number, entry in enumerate(entries, start=1)]
    check_each_once(f"{path}: tasks", [one.task for one in read])
    return {one.task: one for one in read}


def _task(entry: Mapping[str, Any], place: str) -> TaskExemplars:
    name = text_of(entry, "name", place)
    task = next((task for task in EditTask if task.value == name), None)
    if task is None:
        raise BadInputError(f"{place}: name is {name!r}, which is no task: use {', '.join(TASK_NAMES)}")
    place = f"{place} ({name})"
    verbs, entries = texts_of(entry, "verbs", place), tables_of(entry, "exemplars", place)
    if not entries or not verbs:
        raise BadInputError(f"{place}: verbs and exemplars must be one or more")
    exemplars = [_exemplar(fields, f"{place}: exemplar {number}") for number, fields in enumerate(entries, start=1)]
    return TaskExemplars(task=task, verbs=verbs, exemplars=tuple(exemplars))


def _exemplar(fields: Mapping[str, Any], place: str) -> AgentExemplar:
    answer = {name: text_of(fields, name, place, name.endswith("_object")) for name in ANSWER_FIELDS}
    return AgentExemplar(caption=text_of(fields, "caption", place), answer=answer)
