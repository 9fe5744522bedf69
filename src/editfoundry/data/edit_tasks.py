"""The sixteen tasks of an editor that does many (Emu Edit, section 3)."""

from __future__ import annotations

from enum import StrEnum

from editfoundry.errors import BadInputError


class TaskGroup(StrEnum):
    """Where and how a task changes a picture."""

    REGION = "region"
    """A part of it; the rest stays as it is."""
    FREE_FORM = "free-form"
    """All of it, or whatever the instruction says."""
    VISION = "vision"
    """It is read, and what was read is drawn; or a picture is made from such a drawing."""


class EditTask(StrEnum):
    """What kind of edit an instruction asks for. The values are those in records and in Emu Edit's test set."""

    group: TaskGroup
    description: str

    def __new__(cls, value: str, group: TaskGroup, description: str) -> EditTask:
        """Build one member; called by the enumeration."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.group, member.description = group, description
        return member

    LOCAL = "local", TaskGroup.REGION, "replace a thing, or change a part or the state of it"
    REMOVE = "remove", TaskGroup.REGION, "take a thing out of the picture"
    ADD = "add", TaskGroup.REGION, "put a thing into the picture"
    TEXTURE = "texture", TaskGroup.REGION, "change what a thing is made of, and keep its shape"
    BACKGROUND = "background", TaskGroup.REGION, "change what is behind the things"
    GLOBAL = "global", TaskGroup.FREE_FORM, "change the whole picture: its weather, its season, its time of day"
    STYLE = "style", TaskGroup.FREE_FORM, "draw the same picture in another style"
    TEXT = "text", TaskGroup.FREE_FORM, "add, remove or replace writing, or change its colour"
    DETECT = "detect", TaskGroup.VISION, "draw a box around a thing"
    SEGMENT = "segment", TaskGroup.VISION, "fill the outline of a thing with a colour"
    COLOR = "color", TaskGroup.VISION, "change the colours of the whole picture: its light, contrast, sharpness or hue"
    DEPTH = "depth", TaskGroup.VISION, "a picture to its depth map, or back"
    SKETCH = "sketch", TaskGroup.VISION, "a picture to a drawing of its outlines, or back"
    CANNY = "canny", TaskGroup.VISION, "a picture to its Canny edges, or back"
    NORMALS = "normals", TaskGroup.VISION, "a picture to its map of surface normals, or back"
    POSE = "pose", TaskGroup.VISION, "a picture to the stick figures of who is in it, or back"


TASK_NAMES = tuple(task.value for task in EditTask)


def check_task(name: str) -> str:
    """Return a task's name where it is one of the sixteen; an empty name, of an edit whose task is not known, passes.

    Raises:
        BadInputError: it is neither; the one line lists the names.
    """
    if name and name not in TASK_NAMES:
        raise BadInputError(f"unknown task {name!r}: use {', '.join(TASK_NAMES)}")
    return name


def task_named(name: str) -> EditTask:
    """Return the task of a name.

    Raises:
        BadInputError: there is none of it; the one line lists the names.
    """
    found = next((task for task in EditTask if task.value == name), None)
    if found is None:
        raise BadInputError(f"unknown task {name!r}: use {', '.join(TASK_NAMES)}")
    return found
