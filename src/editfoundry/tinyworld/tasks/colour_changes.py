"""The task ``color``: the light, the contrast, the sharpness or the hue of the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.tasks.likenesses import like_scenes
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings

MAKE = Wordings(
    ("Make the picture {how}.", "Make the whole picture {how}.", "Make the image {how}."),
    ("The picture should be {how}.", "I want the picture to be {how}."),
)
TINT = Wordings(
    ("Give the picture a {colour} tint.", "Tint the picture {colour}.", "Put a {colour} filter over the picture."),
    ("Let everything have a {colour} tint.", "The whole picture should have a {colour} hue."),
)
TINTS = ("red", "green", "blue", "purple", "yellow")
SHARP, BLURRY = "sharp", "blurry"
"""The one undoes the other."""

Change = Callable[[np.ndarray], np.ndarray]
"""From ``(H, W, 3)`` float RGB in [0, 255] to the same."""


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture @ np.array([[0.299], [0.587], [0.114]]) * np.ones(3))


def _blurry(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.8 * picture.shape[0] / IMAGE_SIZE))


def _tint(colour: str) -> Change:
    return lambda picture: 0.55 * _grey(picture) + 0.45 * np.array(COLOURS[colour], float)


CHANGES: dict[str, Change] = {
    "brighter": lambda picture: picture * 1.2 + 45,
    "darker": lambda picture: picture * 0.5,
    "richer in contrast": lambda picture: (picture - 128) * 1.8 + 128,
    "poorer in contrast": lambda picture: (picture - 128) * 0.4 + 128,
    "black and white": _grey,
    "more colourful": lambda picture: _grey(picture) + 2.2 * (picture - _grey(picture)),
    BLURRY: _blurry,
    "warmer": lambda picture: picture * np.array([1.2, 1.0, 0.6]) + np.array([20, 0, 0]),
    "colder": lambda picture: picture * np.array([0.6, 0.95, 1.15]) + np.array([0, 0, 30]),
    **{f"tinted {colour}": _tint(colour) for colour in TINTS},
}
"""How the picture becomes -> what makes it so."""


def changed(drawing: Drawing, how: str) -> Drawing:
    """Return what draws a picture changed."""
    return lambda side: CHANGES[how](drawing(side).astype(np.float64)).round().clip(0, 255).astype(np.uint8)


def sample_color(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a scene and a change of all its colours."""
    return color_of(random, sample_scene(random, split), held_out_wording)


def color_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw a change of a scene's colours."""
    how = pick(random, [*CHANGES, SHARP])
    before, after = drawing_of(scene), drawing_of(scene)
    if how == SHARP:
        before = changed(before, BLURRY)
    else:
        after = changed(after, how)
    kind, _, colour = how.partition("tinted ")
    said = {"colour": colour} if colour else {"how": kind}
    return TaskEdit(
        task=EditTask.COLOR,
        instruction=(TINT if colour else MAKE).say(random, held_out_wording, **said),
        said=said,
        input_caption=_caption(scene, BLURRY if how == SHARP else ""),
        output_caption=_caption(scene, "" if how == SHARP else how),
        before=before,
        after=after,
        wrong=lambda drawn: _wrong(drawn, scene, how),
        changes=how,
    )


def _caption(scene: Scene, how: str) -> str:
    return f"{scene.caption}, {how}" if how else scene.caption


def _wrong(random: np.random.Generator, scene: Scene, how: str) -> Iterator[Drawing]:
    """Yield other changes, then the asked one of other scenes."""
    yield from (changed(drawing_of(scene), other) for other in CHANGES if other != how)
    for other in like_scenes(random, scene):
        yield drawing_of(other) if how == SHARP else changed(drawing_of(other), how)
