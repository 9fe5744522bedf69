"""Pairs that are made of one picture without painting: what a tool reads in it, or what arithmetic makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from editfoundry.data.canny_edges import canny_edges
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import Rejection
from editfoundry.synthesis.emu_edit.first_pictures import FirstPictures
from editfoundry.synthesis.emu_edit.made_pair import MadePair, no_pair, pair_of
from editfoundry.synthesis.emu_edit.masks import FoundThing
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.tasks.colour_changes import CHANGES
from editfoundry.tinyworld.tasks.lettering import Sign
from editfoundry.tinyworld.tasks.marks import Box

UNKNOWN_CHANGE, NO_COLOUR, NO_SIGN = "no colour change that is known", "no colour named", "no sign that can be drawn"
_LINE = 18
"""Difference between neighbouring pixels, of 255, that a sketch draws as a line."""
_BOX_MARGIN = 2 / 64
"""By this share of the picture a drawn box is wider than the thing."""
_SIGN = re.compile(
    r"(?P<board>\w+) sign (?:in|on) the (?P<position>left|middle|right) that says \"(?P<word>[A-Z]+)\" in (?P<ink>\w+)"
)


@dataclass(frozen=True)
class _Read:
    """What a reading is made of."""

    edit: TaskInstruction
    picture: np.ndarray
    """``(H, W, 3)`` uint8 RGB."""
    thing: FoundThing | None
    nearness: np.ndarray | None
    """``(H, W)`` float32, where a depth model looked."""


def read_pictures(
    models: EmuModels, first: FirstPictures, rows: Sequence[int], things: Mapping[int, FoundThing]
) -> list[MadePair]:
    """Return a candidate of each draw: its picture, and what is read in it or made of it."""
    of_depth = [row for row in rows if first.draws[row].edit.task is EditTask.DEPTH]
    found = models.depth.nearness([first.images[row] for row in of_depth]) if models.depth and of_depth else []
    nearness = dict(zip(of_depth, found, strict=True))
    made = []
    for row in rows:
        edit, picture = first.draws[row].edit, np.asarray(first.images[row].convert("RGB"))
        try:
            second = _READINGS[edit.task](_Read(edit, picture, things.get(row), nearness.get(row)))
        except Rejection as rejection:
            made.append(no_pair(first, row, rejection))
            continue
        shown = Image.fromarray(second.round().clip(0, 255).astype(np.uint8))
        made.append(pair_of(first, row, shown, thing=things.get(row)))
    return made


def sketch_of(picture: np.ndarray) -> np.ndarray:
    """Return dark outlines on white paper, ``(H, W, 3)`` float in [0, 255], of a ``(H, W, 3)`` uint8 RGB picture."""
    change = cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)).max(axis=-1)
    ink = np.clip((change.astype(np.float32) - _LINE) / 60, 0, 1)
    return np.repeat(255 - 225 * ink[..., None], 3, axis=-1)


def _depth(read: _Read) -> np.ndarray:
    assert read.nearness is not None
    above = read.nearness - read.nearness.min()
    return np.repeat((255 * above / (float(above.max()) or 1.0))[..., None], 3, axis=-1)


def _canny(read: _Read) -> np.ndarray:
    return np.repeat(canny_edges(Image.fromarray(read.picture))[..., None], 3, axis=-1).astype(np.float32)


def _boxed(read: _Read) -> np.ndarray:
    assert read.thing is not None
    (height, width), (x0, y0, x1, y1) = read.picture.shape[:2], read.thing.find.box
    corners = (x0 / width - _BOX_MARGIN, y0 / height - _BOX_MARGIN, x1 / width + _BOX_MARGIN, y1 / height + _BOX_MARGIN)
    shares = dict(zip(("x0", "y0", "x1", "y1"), (min(1.0, max(0.0, corner)) for corner in corners), strict=True))
    name, _ = _mark_colour(read.edit)
    return Box(**shares, colour=name).drawn_on(read.picture)


def _covered(read: _Read) -> np.ndarray:
    assert read.thing is not None
    marked = read.picture.copy()
    marked[read.thing.outline] = _mark_colour(read.edit)[1]
    return marked


def _mark_colour(edit: TaskInstruction) -> tuple[str, tuple[int, int, int]]:
    """Return the colour that the instruction names beside the thing, and its RGB."""
    said = edit.edit.lower().replace(edit.original_object.lower(), " ")
    name = _only(_asked_for(edit, said, COLOURS), NO_COLOUR, edit)
    return name, COLOURS[name]


def _recoloured(read: _Read) -> np.ndarray:
    """Return the picture as the caption says that it is made of the first one: brighter, blurry, in a tint."""
    edit = read.edit
    change = _only(_asked_for(edit, f"{edit.edit}. {edit.second_caption}", CHANGES), UNKNOWN_CHANGE, edit)
    return CHANGES[change](read.picture.astype(np.float64))


def _asked_for(edit: TaskInstruction, said: str, names: Iterable[str]) -> list[str]:
    """Return the names that a text says of what is made; what the first caption says as often is of the picture."""

    def is_new(name: str) -> bool:
        num_before = _count(edit.first_caption, name)
        return num_before == 0 or num_before < _count(edit.second_caption, name)

    return [name for name in names if _count(said, name) and is_new(name)]


def _count(text: str, name: str) -> int:
    return len(re.findall(rf"\b{re.escape(name)}\b", text.lower()))


def _only(named: Sequence[str], reason: str, edit: TaskInstruction) -> str:
    """Return the one name that there is; none, or several, leave open what is meant."""
    if len(named) != 1:
        raise Rejection(reason, f"{edit.edit} ({' or '.join(named)})" if named else edit.edit)
    return named[0]


def _signed(read: _Read) -> np.ndarray:
    told = _SIGN.search(read.edit.second_caption)
    if told is None or told["board"] not in COLOURS or told["ink"] not in COLOURS:
        raise Rejection(NO_SIGN, read.edit.second_caption)
    sign = Sign(word=told["word"], ink=told["ink"], board=told["board"], position=told["position"])
    if not sign.fits_on(read.picture):
        raise Rejection(NO_SIGN, f"{sign.word} is too long a word for the picture")
    return sign.drawn_on(read.picture)


_READINGS: dict[EditTask, Callable[[_Read], np.ndarray]] = {
    EditTask.DETECT: _boxed,
    EditTask.SEGMENT: _covered,
    EditTask.DEPTH: _depth,
    EditTask.SKETCH: lambda read: sketch_of(read.picture),
    EditTask.CANNY: _canny,
    EditTask.COLOR: _recoloured,
    EditTask.TEXT: _signed,
}
READ_TASKS = tuple(_READINGS)
"""Tasks whose second picture is made of the first without painting."""
