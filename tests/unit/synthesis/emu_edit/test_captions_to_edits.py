"""Which caption gets which task, and who writes the instruction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import cast

import pytest

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import Caption
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import ChatAnswer, Request, Sampling
from editfoundry.pretraining.triplet_truth import case_from_captions, case_of_task
from editfoundry.synthesis.emu_edit.agent import read_task_instruction
from editfoundry.synthesis.emu_edit.agent_config import AgentConfig
from editfoundry.synthesis.emu_edit.agent_exemplars import load_task_exemplars
from editfoundry.synthesis.emu_edit.captions_to_edits import (
    TaskOfCaption,
    tasks_of_captions,
    write_by_model,
    write_true_edits,
)
from editfoundry.synthesis.emu_edit.config import MADE_TASKS, EmuPairConfig
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.tinyworld.captions import laion_rows
from editfoundry.tinyworld.tasks.maps import MAPS

CAPTIONS = [Caption(caption=str(row["TEXT"]), url=str(row["URL"])) for row in laion_rows(30, 1)]


class SayingAlways:
    """Stands for an asker whose model says the same to everything."""

    def __init__(self, text: str) -> None:
        self.text = text

    def ask(self, requests: Sequence[Request], sampling: Sampling) -> list[ChatAnswer]:
        return [ChatAnswer(text=self.text)] * len(requests)


def edits_of(task: str) -> list[TaskInstruction]:
    return write_true_edits([TaskOfCaption(n, one, EditTask(task)) for n, one in enumerate(CAPTIONS)], 0)[0]


def test_tasks_take_turns_over_all_captions_wherever_a_shard_begins() -> None:
    config = EmuPairConfig(tasks=("local", "add", "style"), tasks_per_caption=2)
    whole = tasks_of_captions(CAPTIONS[:9], 0, config)
    parts = [*tasks_of_captions(CAPTIONS[:4], 0, config), *tasks_of_captions(CAPTIONS[4:9], 4, config)]
    assert parts == whole and Counter(one.task for one in whole) == dict.fromkeys(map(EditTask, config.tasks), 6)


@pytest.mark.parametrize("tasks_per_caption", [1, 2, 3])
def test_an_agents_maps_of_every_kind_go_both_ways(tasks_per_caption: int) -> None:
    config = EmuPairConfig(tasks_per_caption=tasks_per_caption)
    many = [Caption(caption=f"a {n} in sea") for n in range(2 * len(config.tasks))]
    asked = [one for one in tasks_of_captions(many, 0, config) if one.task in MAPS]
    answer = {"edit": "map it", "edited_object": "", "output": "a map", "original_object": ""}
    asker = cast(Asker, SayingAlways(json.dumps(answer)))
    written, rejected = write_by_model(asked, load_task_exemplars("tinyworld"), config, asker)
    ways = Counter((edit.task, edit.reads_output) for edit in written)
    assert not rejected and ways == dict.fromkeys(
        product(MAPS.keys() & set(config.tasks), (True, False)), tasks_per_caption
    )


@pytest.mark.parametrize("task", MADE_TASKS)
def test_a_true_edit_of_every_task_begins_with_a_picture_of_the_caption_and_has_a_known_outcome(task: str) -> None:
    edits = edits_of(task)
    assert len(edits) >= 10
    for edit in edits:
        assert edit.task == task and edit.edit[0].isupper() and edit.caption != edit.output
        assert (edit.output if edit.reads_output else edit.caption) in {one.caption for one in CAPTIONS}
        if task in ("local", "remove", "texture", "detect", "segment"):
            assert edit.original_object and edit.original_object in edit.caption
        if task in ("local", "add", "texture"):
            assert edit.edited_object and edit.edited_object in edit.output
    judged = [
        case_from_captions(e.caption, e.output, e.edit) or case_of_task(task, e.caption, e.output) for e in edits[:4]
    ]
    # Signs are not read back from captions.
    assert (None not in judged) or task in ("text", "local", "add")


def test_maps_colours_and_signs_go_both_ways() -> None:
    for task in ("depth", "sketch", "canny", "text", "color"):
        assert {edit.reads_output for edit in edits_of(task)} == {True, False}, task


def test_the_agents_own_checks_find_nothing_wrong_with_true_edits() -> None:
    for task in ("local", "remove", "add", "texture", "background"):
        for edit in edits_of(task)[:5]:
            said = {n: getattr(edit, n) for n in ("edit", "edited_object", "output", "original_object")}
            answer = ChatAnswer(text=json.dumps(said))
            read = read_task_instruction(answer, Caption(caption=edit.caption), EditTask(task), AgentConfig())
            assert read.edit == edit.edit


def test_a_caption_of_elsewhere_and_one_without_such_an_edit_are_rejected() -> None:
    crowded = next(one for one in CAPTIONS if " and " in one.caption)
    asked = [
        TaskOfCaption(0, Caption(caption="a photo of Rome"), EditTask.ADD),
        TaskOfCaption(1, crowded, EditTask.ADD),
    ]
    written, rejected = write_true_edits(asked, 0)
    assert not written and [row.reason for row in rejected] == ["not a tinyworld caption", "no edit of this task"]
    assert [row.row["task"] for row in rejected] == ["add", "add"]


def test_a_second_thing_of_the_same_look_is_not_added() -> None:
    caption = Caption(caption="an ice cube on the left on a street at sunset")
    asked = [TaskOfCaption(0, caption, EditTask.ADD)]
    edits = [edit for seed in range(150) for edit in write_true_edits(asked, seed)[0]]
    # Nobody could tell which of the two came.
    assert len(edits) == 150 and all(edit.edited_object not in ("", edit.caption) for edit in edits)
    assert all(edit.edited_object not in edit.caption for edit in edits)
