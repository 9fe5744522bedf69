"""Edits of a scene that is given, and edits told by their captions: what recipes ask of tinyworld."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.tasks.colour_changes import color_of
from editfoundry.tinyworld.tasks.global_changes import global_of
from editfoundry.tinyworld.tasks.lettering import text_of
from editfoundry.tinyworld.tasks.maps import MAPS, map_of
from editfoundry.tinyworld.tasks.marks import detect_of, segment_of
from editfoundry.tinyworld.tasks.scene_edits import scene_edit_of
from editfoundry.tinyworld.tasks.styles import style_of
from editfoundry.tinyworld.tasks.task_edit import TaskEdit
from editfoundry.tinyworld.tasks.textures import texture_of

EditOf = Callable[[np.random.Generator, Scene], TaskEdit | None]
_OTHER_SCENES = (EditTask.LOCAL, EditTask.REMOVE, EditTask.ADD, EditTask.BACKGROUND)
"""Tasks whose outcome is another scene, which its caption tells."""
EDITS_OF_SCENES: dict[EditTask, EditOf] = {
    **{task: partial(scene_edit_of, task) for task in _OTHER_SCENES},
    EditTask.TEXTURE: texture_of,
    EditTask.GLOBAL: global_of,
    EditTask.STYLE: style_of,
    EditTask.TEXT: text_of,
    EditTask.DETECT: detect_of,
    EditTask.SEGMENT: segment_of,
    EditTask.COLOR: color_of,
    **{task: partial(map_of, task) for task in MAPS},
}
"""Task -> draws an edit of a scene; None where what was drawn cannot be."""
_MAX_TRIES = 100
_MAX_READINGS = 600
"""Draws after which an edit that two captions name is surely met: it is one of at most two dozen, signs aside."""


def sample_edit_of_scene(random: np.random.Generator, scene: Scene, task: EditTask) -> TaskEdit | None:
    """Draw an edit of a scene that shows and leads to nothing that training must not see; None where there is none."""
    if not scene.objects:
        return None
    for _ in range(_MAX_TRIES):
        edit = EDITS_OF_SCENES[task](random, scene)
        if edit is not None and not _is_of_test(edit) and edit.shows:
            return edit
    return None


def edit_from_captions(task: EditTask, input_caption: str, output_caption: str) -> TaskEdit | None:
    """Return the edit of a task that two captions name; None where they are not tinyworld's, or of another task.

    Tasks whose outcome is another scene, and signs, are not read here.
    """
    if task in _OTHER_SCENES or task is EditTask.TEXT or task not in EDITS_OF_SCENES:
        return None
    scene = _scene(input_caption) or _scene(output_caption)
    if scene is None or not scene.objects:
        return None
    random = random_stream("edit from captions", task, input_caption, output_caption)
    drawn = (EDITS_OF_SCENES[task](random, scene) for _ in range(_MAX_READINGS))
    wanted = (input_caption, output_caption)
    return next((e for e in drawn if e is not None and (e.input_caption, e.output_caption) == wanted), None)


def _scene(caption: str) -> Scene | None:
    try:
        return scene_from_caption(caption)
    except ValueError:
        return None


def _is_of_test(edit: TaskEdit) -> bool:
    after = _scene(edit.output_caption)
    return after is not None and is_held_out(after)
