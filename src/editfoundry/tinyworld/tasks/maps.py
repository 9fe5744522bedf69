"""The tasks ``depth``, ``sketch``, ``canny`` and ``normals``: a picture to a map of it, and a map to its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from PIL import Image

from editfoundry.data.canny_edges import canny_edges
from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.depth_map import depth_map
from editfoundry.tinyworld.normal_map import normal_map
from editfoundry.tinyworld.pen import SUPERSAMPLING
from editfoundry.tinyworld.scene import Scene, paint
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.likenesses import like_scenes
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings

TO_MAP = Wordings(
    ("Turn the picture into {a_map}.", "Show {the_map} of the picture.", "Make {a_map} of this picture."),
    ("What does {the_map} of this picture look like?", "Convert the picture to {a_map}."),
)
TO_PICTURE = Wordings(
    (
        "Turn {the_map} into a picture of {caption}.",
        "Make a picture of {caption} from {the_map}.",
        "Paint {caption} by {the_map}.",
    ),
    ("Let {the_map} become a picture of {caption}.", "Show {caption} as {the_map} tells."),
)
_LINE = 18
"""Difference between neighbouring pixels, of 255, that a sketch draws as a line."""


def _depth(scene: Scene, side: int) -> np.ndarray:
    return np.repeat((depth_map(scene, side) * 255)[..., None], 3, axis=-1)


def _normals(scene: Scene, side: int) -> np.ndarray:
    return (normal_map(scene, side) + 1) * 127.5


def _sketch(scene: Scene, side: int) -> np.ndarray:
    """Draw dark outlines on white paper."""
    painted = np.asarray(paint(scene, side).convert("RGB"))
    lines = cv2.morphologyEx(painted, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=-1) > _LINE
    ink = lines.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).mean(axis=(1, 3))
    return np.repeat(255 - 225 * np.clip(1.6 * ink, 0, 1)[..., None], 3, axis=-1)


def _canny(scene: Scene, side: int) -> np.ndarray:
    return np.repeat(canny_edges(Image.fromarray(drawing_of(scene)(side)))[..., None], 3, axis=-1).astype(np.float64)


@dataclass(frozen=True)
class SceneMap:
    """A kind of map."""

    name: str
    draw: Callable[[Scene, int], np.ndarray]
    """From a scene and pixels to a side to ``(side, side, 3)`` float in [0, 255]."""


MAPS: dict[EditTask, SceneMap] = {
    EditTask.DEPTH: SceneMap("depth map", _depth),
    EditTask.SKETCH: SceneMap("sketch", _sketch),
    EditTask.CANNY: SceneMap("Canny edge map", _canny),
    EditTask.NORMALS: SceneMap("normal map", _normals),
}


def mapped(scene: Scene, task: EditTask) -> Drawing:
    """Return what draws a scene's map."""
    return partial(_drawn_map, scene, task)


@lru_cache(maxsize=128)
def _drawn_map(scene: Scene, task: EditTask, side: int) -> np.ndarray:
    drawn: np.ndarray = MAPS[task].draw(scene, side).round().clip(0, 255).astype(np.uint8)
    drawn.flags.writeable = False
    return drawn


def sample_map(task: EditTask, random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a scene to be mapped, or a map to be painted, each every other time."""
    return map_of(task, random, sample_scene(random, split), held_out_wording)


def map_of(task: EditTask, random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw whether a scene is mapped, or painted by its map."""
    name = MAPS[task].name
    said = {"the_map": f"the {name}", "a_map": f"a {name}"}
    of_map, to_map = f"a {name} of {scene.caption}", bool(random.integers(2))
    if to_map:
        text = TO_MAP.say(random, held_out_wording, **said)
    else:
        said["caption"] = scene.caption
        text = TO_PICTURE.say(random, held_out_wording, **said)
    captions, drawings = (scene.caption, of_map), (drawing_of(scene), mapped(scene, task))
    step = 1 if to_map else -1
    return TaskEdit(
        task=task,
        instruction=text,
        said=said,
        input_caption=captions[::step][0],
        output_caption=captions[::step][1],
        before=drawings[::step][0],
        after=drawings[::step][1],
        wrong=lambda drawn: _wrong_maps(drawn, scene, task) if to_map else _wrong_pictures(drawn, scene),
        changes=name if to_map else f"picture from a {name}",
    )


def _wrong_maps(random: np.random.Generator, scene: Scene, task: EditTask) -> Iterator[Drawing]:
    """Yield the map's ground without lines or things, other maps of the scene, then maps of other scenes."""
    yield partial(_plain, task)
    yield from (mapped(scene, other) for other in MAPS if other != task)
    yield lambda side: 255 - _drawn_map(scene, task, side)
    yield from (mapped(other, task) for other in like_scenes(random, scene))


def _wrong_pictures(random: np.random.Generator, scene: Scene) -> Iterator[Drawing]:
    yield from (mapped(scene, task) for task in MAPS)
    yield from map(drawing_of, like_scenes(random, scene))


def _plain(task: EditTask, side: int) -> np.ndarray:
    """Return a map of nothing: one even colour."""
    colour = {EditTask.SKETCH: (255, 255, 255), EditTask.NORMALS: (128, 128, 255)}.get(task, (0, 0, 0))
    return np.full((side, side, 3), colour, dtype=np.uint8)
