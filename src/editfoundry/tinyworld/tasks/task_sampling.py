"""Draws edits of every task that tinyworld makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.scene_sampling import Split
from editfoundry.tinyworld.tasks.colour_changes import sample_color
from editfoundry.tinyworld.tasks.global_changes import sample_global
from editfoundry.tinyworld.tasks.lettering import sample_text
from editfoundry.tinyworld.tasks.maps import MAPS, sample_map
from editfoundry.tinyworld.tasks.marks import sample_detect, sample_segment
from editfoundry.tinyworld.tasks.scene_edits import sample_add, sample_background, sample_local, sample_remove
from editfoundry.tinyworld.tasks.styles import sample_style
from editfoundry.tinyworld.tasks.task_edit import TaskEdit
from editfoundry.tinyworld.tasks.textures import sample_texture

Sampler = Callable[[np.random.Generator, Split, bool], TaskEdit]
"""Draws an edit from random numbers, a split, and whether to use wordings that training never sees."""

SAMPLERS: dict[EditTask, Sampler] = {
    EditTask.LOCAL: sample_local,
    EditTask.REMOVE: sample_remove,
    EditTask.ADD: sample_add,
    EditTask.TEXTURE: sample_texture,
    EditTask.BACKGROUND: sample_background,
    EditTask.GLOBAL: sample_global,
    EditTask.STYLE: sample_style,
    EditTask.TEXT: sample_text,
    EditTask.DETECT: sample_detect,
    EditTask.SEGMENT: sample_segment,
    EditTask.COLOR: sample_color,
    **{task: partial(sample_map, task) for task in MAPS},
}
MADE_TASKS = tuple(SAMPLERS)
"""The tasks that tinyworld makes: all but ``pose``."""


def sample_task_edit(
    random: np.random.Generator, split: Split, task: EditTask, held_out_wording: bool = False
) -> TaskEdit:
    """Draw an edit of a task that can be seen.

    Args:
        random: the only source of chance.
        split: ``train``, or ``test`` for combinations that training never sees.
        task: one of ``MADE_TASKS``.
        held_out_wording: whether the instruction is worded as training never words it.

    Raises:
        BadInputError: tinyworld does not make this task.
    """
    if task not in SAMPLERS:
        raise BadInputError(f"tinyworld does not make the task {task}; it makes {', '.join(MADE_TASKS)}")
    while True:
        edit = SAMPLERS[task](random, split, held_out_wording)
        if edit.shows:
            return edit
