"""What stands in a hole: the things that, laid over the known background, come nearest to what was painted.

Nothing is learnt. Every thing of the world, in every state, colour and size, is tried at every place of the hole, and
the nearest (L2) is what was painted. It is found at half the resolution, where all are tried at once, and the best are
then tried pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
from PIL import Image

from editfoundry.tinyworld.editbench.hole import Hole
from editfoundry.tinyworld.editbench.thing_layers import FOOT, thing_layers
from editfoundry.tinyworld.scene import IMAGE_SIZE, POSITIONS, Scene, SceneObject, render

MIN_SHARE_EXPLAINED = 0.5
"""A thing is there when laying it over takes away at least this share of the squared change that it makes: all of it
where it is there, nothing or less where it is not."""
MAX_THINGS = 3
MIN_DISTANCE = 10
"""Columns between two things; in scenes they stand 27 to 35 apart."""
_SLACK = 5
"""Columns by which a thing may stand beside its position."""
_ROWS = (46, 62)
"""Rows, from and below, at which things may stand; in scenes they stand at 51 to 58."""
_NUM_REFINED = 12
"""Things that are tried pixel by pixel."""
_HALF = IMAGE_SIZE // 2


@dataclass(frozen=True, kw_only=True, eq=False)
class HoleReading:
    """What was painted into a hole."""

    things: tuple[SceneObject, ...]
    """None, where nothing can be made out."""
    picture: np.ndarray
    """``(64, 64, 3)`` float32 RGB in [0, 255]: the things as they should look there."""
    error: float
    """Squared error of what was painted against that, within the hole."""


def read_hole(edited: np.ndarray, hole: Hole) -> HoleReading:
    """Read what an edit shows in a hole; all else in it is not looked at.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, a square of any size.
        hole: where to look, and what lies around it.
    """
    painted = np.where(hole.mask[..., None], at_world_size(edited), empty_picture(hole.around))
    # Prompts of one picture, and metrics of one edit, ask for the same.
    return _read(painted.tobytes(), hole.around, _columns(hole), MAX_THINGS if hole.is_wide else 1)


@lru_cache(maxsize=256)
def _read(painted_bytes: bytes, around: Scene, columns: tuple[int, ...], most: int) -> HoleReading:
    layers = thing_layers()
    picture = empty_picture(around).astype(np.float32)
    painted = np.frombuffer(painted_bytes, dtype=np.uint8).reshape(picture.shape).astype(np.float32)
    things: list[SceneObject] = []
    error = _squared(painted - picture)
    while len(things) < most and columns:
        number, foot = min(_refined(painted, picture, columns), key=lambda found: found[0])[1:]
        laid = layers.laid(number, foot, picture)
        left = _squared(painted - laid)
        if error - left < MIN_SHARE_EXPLAINED * _squared(laid - picture):
            break
        things.append(_standing_at(layers.things[number], foot))
        picture, error = laid, left
        columns = tuple(column for column in columns if abs(2 * column - foot[0]) >= MIN_DISTANCE)
    return HoleReading(things=tuple(things), picture=picture, error=error)


@lru_cache(maxsize=512)
def empty_picture(around: Scene) -> np.ndarray:
    """Return ``(64, 64, 3)`` uint8 RGB of a hole's surroundings, nothing standing in the hole."""
    return render(around)


def at_world_size(picture: np.ndarray) -> np.ndarray:
    """Return a square picture, ``(H, W, 3)`` or ``(H, W)`` uint8, at 64 pixels to a side."""
    if picture.shape[0] == IMAGE_SIZE:
        return picture
    return np.asarray(Image.fromarray(picture).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX))


def _standing_at(thing: SceneObject, foot: tuple[int, int]) -> SceneObject:
    """Return the thing at the position that is nearest to its foot."""
    share = foot[0] / IMAGE_SIZE
    position = min(POSITIONS, key=lambda name: abs(POSITIONS[name] - share))
    return replace(thing, position=position, dx=share - POSITIONS[position], ground=1 - foot[1] / IMAGE_SIZE)


def _refined(
    painted: np.ndarray, picture: np.ndarray, columns: Sequence[int]
) -> Iterator[tuple[float, int, tuple[int, int]]]:
    """Yield error, layer and foot of the best things, tried at every pixel around where they were found."""
    layers = thing_layers()
    for number, (column, row) in _coarsely_found(painted, picture, columns):
        for foot in ((column + dx, row + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)):
            yield _squared(painted - layers.laid(number, foot, picture)), number, foot


def _coarsely_found(
    painted: np.ndarray, picture: np.ndarray, columns: Sequence[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the layers with the least errors at half the resolution, each with its best foot in whole pixels.

    With D = painted - picture, colour c and alpha a of a layer, the error |D + a picture - c|^2 is, but for |D|^2, a
    sum of products of something of the picture and something of the layer, so that all are had by one multiplication.
    """
    under, beside = _half(picture), _half(painted - picture)
    fields = np.concatenate(
        [
            np.square(under).sum(axis=-1, keepdims=True),
            np.ones_like(under[..., :1]),
            2 * (under * beside).sum(axis=-1, keepdims=True),
            -2 * beside,
            -2 * under,
        ],
        axis=-1,
    )
    padded = np.pad(fields, ((_HALF, _HALF), (_HALF, _HALF), (0, 0)))
    feet = [(column, row) for column in columns for row in range(_ROWS[0] // 2, _ROWS[1] // 2)]
    # A window begins at foot - FOOT / 2 of the picture, and the picture at _HALF of what is padded.
    starts = [(row - FOOT[1] // 2 + _HALF, column - FOOT[0] // 2 + _HALF) for column, row in feet]
    windows = np.stack([padded[top : top + _HALF, left : left + _HALF].ravel() for top, left in starts])
    errors = windows @ _half_layers().T
    best = errors.argmin(axis=0)
    least = errors[best, np.arange(errors.shape[1])]
    for number in np.argsort(least, kind="stable")[:_NUM_REFINED].tolist():
        column, row = feet[best[number]]
        yield number, (2 * column, 2 * row)


@cache
def _half_layers() -> np.ndarray:
    """Return ``(N, 32 * 32 * 9)`` float32: of each layer at half its size what belongs to the fields of a picture."""
    layers = thing_layers()
    colours, alphas = _half(layers.colours), _half(layers.alphas)
    parts = [np.square(alphas), np.square(colours).sum(axis=-1, keepdims=True), alphas, colours, colours * alphas]
    return np.concatenate(parts, axis=-1).reshape(len(alphas), -1).astype(np.float32)


def _columns(hole: Hole) -> tuple[int, ...]:
    """Return the columns, at half the resolution, at which things may stand."""
    positions = POSITIONS.values() if hole.is_wide else (POSITIONS[thing.position] for thing in hole.things)
    middles = [round(share * IMAGE_SIZE) for share in positions]
    return tuple(range((min(middles) - _SLACK) // 2, (max(middles) + _SLACK) // 2 + 1))


def _half(pixels: np.ndarray) -> np.ndarray:
    """Return ``(..., H, W, C)`` at half the size, each pixel the mean of four."""
    *front, height, width, depth = pixels.shape
    halved: np.ndarray = pixels.reshape(*front, height // 2, 2, width // 2, 2, depth).mean(axis=(-4, -2))
    return halved


def _squared(difference: np.ndarray) -> float:
    return float(np.square(difference, dtype=np.float64).sum())
