"""The tasks ``detect`` and ``segment``: a thing is marked by a box around it, or by a colour over all its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.edits import the_phrase
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, object_boxes, object_masks
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings

MARK_COLOURS = ("red", "yellow", "green", "blue", "purple", "white")
DETECT = Wordings(
    ("Draw a {colour} box around {the}.", "Detect {the} with a {colour} box.", "Put a {colour} box around {the}."),
    ("Mark {the} by a {colour} rectangle.", "Frame {the} in {colour}."),
)
SEGMENT = Wordings(
    ("Segment {the} in {colour}.", "Mark all pixels of {the} in {colour}.", "Cover {the} with a {colour} mask."),
    ("Show the segmentation of {the} in {colour}.", "Where {the} is, lay a {colour} mask."),
)
_NUM_OBJECTS = (1, 2, 2)
"""Which of two things is meant has to be read."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box's outline of two pixels of 64; corners as shares of the picture, upper ends exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: str

    def drawn_on(self, picture: np.ndarray) -> np.ndarray:
        """Return a ``(H, W, 3)`` uint8 RGB picture with the box."""
        side = picture.shape[0]
        x0, y0, x1, y1 = (round(share * side) for share in (self.x0, self.y0, self.x1, self.y1))
        width = max(1, side * 2 // IMAGE_SIZE)
        marked = picture.copy()
        inside = picture[y0 + width : max(y0 + width, y1 - width), x0 + width : max(x0 + width, x1 - width)].copy()
        marked[y0:y1, x0:x1] = COLOURS[self.colour]
        marked[y0 + width :, x0 + width :][: inside.shape[0], : inside.shape[1]] = inside
        return marked


def boxed(scene: Scene, box: Box) -> Drawing:
    """Return what draws a scene with a box."""
    return lambda side: box.drawn_on(drawing_of(scene)(side))


def segmented(scene: Scene, index: int, colour: str) -> Drawing:
    """Return what draws a scene with all pixels of a thing in one colour."""

    def draw(side: int) -> np.ndarray:
        marked = drawing_of(scene)(side).copy()
        marked[object_masks(scene, side)[index]] = COLOURS[colour]
        return marked

    return draw


def sample_detect(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that gets a box."""
    while True:
        scene, index, colour = _sample(random, split)
        edit = _detect(random, scene, index, colour, held_out_wording)
        if edit is not None:
            return edit


def detect_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit | None:
    """Draw which thing of a scene gets a box; None where it is hidden."""
    return _detect(random, scene, *_thing_and_colour(random, scene), held_out_wording)


def _detect(
    random: np.random.Generator, scene: Scene, index: int, colour: str, held_out_wording: bool
) -> TaskEdit | None:
    box = box_around(scene, index, colour)
    if box is None:
        return None
    thing = scene.objects[index]
    said = {"the": the_phrase(thing), "colour": colour}
    return TaskEdit(
        task=EditTask.DETECT,
        instruction=DETECT.say(random, held_out_wording, **said),
        said=said,
        input_caption=scene.caption,
        output_caption=f"{scene.caption} with a {colour} box around {the_phrase(thing)}",
        before=drawing_of(scene),
        after=boxed(scene, box),
        wrong=lambda drawn: (boxed(scene, other) for other in _wrong_boxes(drawn, scene, index, box)),
        changes=thing.kind,
        index=index,
    )


def sample_segment(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that is covered with a colour."""
    return _segment(random, *_sample(random, split), held_out_wording)


def segment_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw which thing of a scene is covered with which colour."""
    return _segment(random, scene, *_thing_and_colour(random, scene), held_out_wording)


def _segment(random: np.random.Generator, scene: Scene, index: int, colour: str, held_out_wording: bool) -> TaskEdit:
    thing = scene.objects[index]
    said = {"the": the_phrase(thing), "colour": colour}
    return TaskEdit(
        task=EditTask.SEGMENT,
        instruction=SEGMENT.say(random, held_out_wording, **said),
        said=said,
        input_caption=scene.caption,
        output_caption=f"{scene.caption} with a {colour} mask over {the_phrase(thing)}",
        before=drawing_of(scene),
        after=segmented(scene, index, colour),
        wrong=lambda drawn: _wrong_segments(drawn, scene, index, colour),
        changes=thing.kind,
        index=index,
    )


def box_around(scene: Scene, index: int, colour: str) -> Box | None:
    """Return the box around a thing, two pixels of 64 wider than the thing to each side; None where it is hidden."""
    found = object_boxes(scene)[index]
    if found is None:
        return None
    x0, y0, x1, y1 = (
        max(0, found[0] - 2),
        max(0, found[1] - 2),
        min(IMAGE_SIZE, found[2] + 2),
        min(IMAGE_SIZE, found[3] + 2),
    )
    return Box(x0=x0 / IMAGE_SIZE, y0=y0 / IMAGE_SIZE, x1=x1 / IMAGE_SIZE, y1=y1 / IMAGE_SIZE, colour=colour)


def _sample(random: np.random.Generator, split: Split) -> tuple[Scene, int, str]:
    scene = sample_scene(random, split, num_objects=pick(random, _NUM_OBJECTS))
    return scene, *_thing_and_colour(random, scene)


def _thing_and_colour(random: np.random.Generator, scene: Scene) -> tuple[int, str]:
    return int(random.integers(len(scene.objects))), pick(random, MARK_COLOURS)


def _wrong_boxes(random: np.random.Generator, scene: Scene, index: int, box: Box) -> Iterator[Box]:
    """Yield boxes of other colours, around other things, shifted, too large or too small; then any."""
    yield from (replace(box, colour=colour) for colour in MARK_COLOURS)
    for other in range(len(scene.objects)):
        around = box_around(scene, other, box.colour)
        if around is not None:
            yield around
    width, height = box.x1 - box.x0, box.y1 - box.y0
    for share in (-0.3, -0.15, 0.2, 0.35):
        yield _within(box, share * width, 0, -share * width, 0)
        yield _within(box, share * width, share * height, -share * width, -share * height)
        yield _within(box, share * width, 0, share * width, 0)
    while True:
        x0, y0 = random.uniform(0, 0.6, 2)
        w, h = random.uniform(0.15, 0.5, 2)
        yield Box(x0=x0, y0=y0, x1=min(1.0, x0 + w), y1=min(1.0, y0 + h), colour=pick(random, MARK_COLOURS))


def _within(box: Box, x0: float, y0: float, x1: float, y1: float) -> Box:
    """Return the box with its corners moved, as far as the picture goes."""
    moved = (
        float(np.clip(old + by, 0, 1))
        for old, by in zip((box.x0, box.y0, box.x1, box.y1), (x0, y0, x1, y1), strict=True)
    )
    return Box(**dict(zip(("x0", "y0", "x1", "y1"), moved, strict=True)), colour=box.colour)


def _wrong_segments(random: np.random.Generator, scene: Scene, index: int, colour: str) -> Iterator[Drawing]:
    """Yield the thing in other colours, other things in this one, and boxes filled or not; then parts of the thing."""
    yield from (segmented(scene, index, other) for other in MARK_COLOURS if other != colour)
    for other in range(len(scene.objects)):
        if other != index:
            yield segmented(scene, other, colour)
    while True:
        yield _part(scene, index, colour, float(random.uniform(0, 2 * np.pi)), float(random.uniform(-0.6, 0.3)))


def _part(scene: Scene, index: int, colour: str, angle: float, reach: float) -> Drawing:
    """Return what covers the part of a thing on one side of a line through it."""

    def draw(side: int) -> np.ndarray:
        marked = drawing_of(scene)(side).copy()
        rows, columns = np.nonzero(object_masks(scene, side)[index])
        if len(rows):
            along = np.cos(angle) * (columns - columns.mean()) + np.sin(angle) * (rows - rows.mean())
            here = along < reach * max(float(np.abs(along).max()), 1.0)
            marked[rows[here], columns[here]] = COLOURS[colour]
        return marked

    return draw
