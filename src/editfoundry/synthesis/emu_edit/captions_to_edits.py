"""From captions to edits: which caption gets which task, and who writes the instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from editfoundry.data.edit_tasks import EditTask, task_named
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow
from editfoundry.errors import Rejection
from editfoundry.synthesis.emu_edit.agent import write_task_instructions
from editfoundry.synthesis.emu_edit.agent_exemplars import TaskExemplars
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.edits_of_scenes import sample_edit_of_scene
from editfoundry.tinyworld.tasks.maps import MAPS, TO_PICTURE
from editfoundry.tinyworld.tasks.task_edit import TaskEdit

if TYPE_CHECKING:
    from editfoundry.pretrained.asking import Asker

NOT_TINYWORLDS, NO_EDIT, NO_EXEMPLARS = "not a tinyworld caption", "no edit of this task", "task without exemplars"
_READ = (*MAPS, EditTask.COLOR, EditTask.TEXT)
"""Tasks whose second picture is made from the first without painting, in either direction."""
_MAX_TRIES = 40


@dataclass(frozen=True)
class TaskOfCaption:
    """A caption and the task that it shall get an edit of."""

    number: int
    """How often its task has come before, over all captions."""
    caption: Caption
    task: EditTask

    @property
    def place(self) -> str:
        """What tells it from others."""
        return f"{self.caption.id}:{self.task}"


Written = tuple[list[TaskInstruction], list[RejectedRow]]
Write = Callable[[Sequence[TaskOfCaption]], Written]
"""Writes edits, in order; what gets none is rejected with its reason."""


def tasks_of_captions(captions: Sequence[Caption], first: int, config: EmuPairConfig) -> list[TaskOfCaption]:
    """Return the edits that are to be written; tasks take turns over all captions, of which ``first`` came before."""
    count, names = config.tasks_per_caption, config.tasks
    places = (divmod(turn, len(names)) for turn in range(first * count, (first + len(captions)) * count))
    return [
        TaskOfCaption(number, caption, task_named(names[place]))
        for caption in captions
        for number, place in islice(places, count)
    ]


def write_true_edits(asked: Sequence[TaskOfCaption], seed: int) -> Written:
    """Draw a true edit of each of tinyworld's captions."""
    written: list[TaskInstruction] = []
    rejected: list[RejectedRow] = []
    for one in asked:
        try:
            written.append(_true_edit(one, seed))
        except Rejection as rejection:
            rejected.append(_rejected(one, rejection.reason, rejection.detail))
    return written, rejected


def write_by_model(
    asked: Sequence[TaskOfCaption], exemplars: dict[EditTask, TaskExemplars], config: EmuPairConfig, asker: Asker
) -> Written:
    """Ask the instruction agent, task by task; every other map of each kind is turned round: its picture is asked for.

    Raises:
        UnavailableError: the model did not answer; what it did answer is in the journal.
    """
    rejected = [_rejected(one, NO_EXEMPLARS, str(one.task)) for one in asked if one.task not in exemplars]
    written: dict[str, TaskInstruction] = {}
    for task in dict.fromkeys(one.task for one in asked if one.task in exemplars):
        own = [one for one in asked if one.task is task]
        found, fallen = write_task_instructions([one.caption for one in own], exemplars[task], config.agent, asker)
        written |= {f"{edit.source}:{task}": edit for edit in found}
        rejected += [replace(row, id=f"{row.id}:{task}", row={**row.row, "task": str(task)}) for row in fallen]
    return [_turned(written[one.place], one.number) for one in asked if one.place in written], rejected


def _true_edit(one: TaskOfCaption, seed: int) -> TaskInstruction:
    try:
        scene = scene_from_caption(one.caption.caption)
    except ValueError as error:
        raise Rejection(NOT_TINYWORLDS, str(error)) from error
    random = random_stream("emu-edit", seed, one.caption.id, str(one.task))
    for _ in range(_MAX_TRIES):
        edit = sample_edit_of_scene(random, scene, one.task)
        if edit is None:
            continue
        if one.task is EditTask.ADD and _added_thing(edit, one.caption) is None:
            # A second one of the same look: nobody could tell which of the two came.
            continue
        begins = edit.input_caption == scene.caption
        # What is in other weather than a caption can tell is not painted first.
        if begins or (one.task in _READ and edit.output_caption == scene.caption):
            return _of_task_edit(edit, one.caption, reads_output=not begins)
    raise Rejection(NO_EDIT, one.caption.caption)


def _of_task_edit(edit: TaskEdit, caption: Caption, reads_output: bool) -> TaskInstruction:
    before, after = (_things(text, caption.caption) for text in (edit.input_caption, edit.output_caption))
    original = before[edit.index] if edit.index is not None else ""
    edited = {
        EditTask.LOCAL: lambda: after[edit.index or 0],
        EditTask.TEXTURE: lambda: after[edit.index or 0],
        EditTask.ADD: lambda: _added_thing(edit, caption) or "",
    }.get(edit.task, lambda: "" if edit.task is EditTask.REMOVE else original)()
    return TaskInstruction(
        task=edit.task,
        caption=edit.input_caption,
        edit=edit.instruction,
        edited_object=edited,
        output=edit.output_caption,
        original_object=original,
        source=caption.id,
        reads_output=reads_output,
    )


def _added_thing(edit: TaskEdit, caption: Caption) -> str | None:
    """Return what the output has and the input has not; None where it is named as something that is there already."""
    before, after = (_things(text, caption.caption) for text in (edit.input_caption, edit.output_caption))
    return next((thing for thing in after if thing not in before), None)


def _things(text: str, caption: str) -> list[str]:
    """Return what a caption of tinyworld names, without articles and places."""
    background = scene_from_caption(caption).background.phrase
    named = text.removesuffix(f" {background}").split(" and ")
    return [_without_place(thing).split(" ", 1)[-1] for thing in named]


def _without_place(thing: str) -> str:
    return thing.removesuffix(" on the left").removesuffix(" on the right")


def _turned(edit: TaskInstruction, number: int) -> TaskInstruction:
    """Return every other edit of a picture to one kind of map as one of the map to its picture."""
    if edit.task not in MAPS or number % 2 == 0:
        return edit
    name = MAPS[edit.task].name
    random = random_stream("emu-edit turned", edit.id)
    text = TO_PICTURE.say(random, False, the_map=f"the {name}", a_map=f"a {name}", caption=edit.caption)
    return replace(edit, caption=edit.output, output=edit.caption, edit=text, reads_output=True)


def _rejected(one: TaskOfCaption, reason: str, detail: str) -> RejectedRow:
    return RejectedRow(one.place, reason, detail, {"task": str(one.task), "input_caption": one.caption.caption})
