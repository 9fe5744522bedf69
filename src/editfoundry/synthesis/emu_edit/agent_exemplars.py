"""What the instruction agent is shown of each task: its verbs, and captions with answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.edit_tasks import TASK_NAMES, EditTask
from editfoundry.errors import BadInputError
from editfoundry.synthesis.prompt_files import read_prompt_file

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
    try:
        read = [_task(entry) for entry in data["tasks"]]
    except KeyError as error:
        raise BadInputError(f"{path}: {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInputError(f"{path}: {error}") from error
    return {one.task: one for one in read}


def _task(entry: Mapping[str, Any]) -> TaskExemplars:
    exemplars = tuple(
        AgentExemplar(caption=str(fields["caption"]), answer={name: str(fields[name]) for name in ANSWER_FIELDS})
        for fields in entry["exemplars"]
    )
    if not exemplars or not entry["verbs"]:
        raise ValueError(f"task {entry['name']} needs verbs and exemplars")
    return TaskExemplars(task=_named(entry["name"]), verbs=tuple(map(str, entry["verbs"])), exemplars=exemplars)


def _named(name: str) -> EditTask:
    found = next((task for task in EditTask if task.value == name), None)
    if found is None:
        raise ValueError(f"{name!r} is no task: use {', '.join(TASK_NAMES)}")
    return found
