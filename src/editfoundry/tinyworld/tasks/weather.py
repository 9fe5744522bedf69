"""Rain, snow and fog over a scene; where each drop falls is fixed, so that every outcome is exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from editfoundry.tinyworld.depth_map import depth_map
from editfoundry.tinyworld.pen import SUPERSAMPLING
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, picture_of, render
from editfoundry.tinyworld.scene_sampling import random_stream

CLEAR = "clear"
_NUM_DROPS = 46
_NUM_FLAKES = 60


def weathered(scene: Scene, weather: str, side: int) -> np.ndarray:
    """Draw a scene in a weather, one of ``WEATHERS`` or ``CLEAR``: ``(side, side, 3)`` uint8 RGB."""
    drawn = picture_of(scene) if side == IMAGE_SIZE else render(scene, side)
    if weather == CLEAR:
        return drawn
    return WEATHERS[weather](drawn.astype(np.float32), scene, side).round().astype(np.uint8)


def _rainy(drawn: np.ndarray, scene: Scene, side: int) -> np.ndarray:
    return _over(_mixed(drawn, (70, 80, 104), 0.45), (206, 220, 240), 0.8 * _drops(side))


def _snowy(drawn: np.ndarray, scene: Scene, side: int) -> np.ndarray:
    return _over(_mixed(drawn, (206, 214, 226), 0.35), (255, 255, 255), _flakes(side))


def _foggy(drawn: np.ndarray, scene: Scene, side: int) -> np.ndarray:
    return _over(drawn, (204, 208, 212), 0.92 - 0.62 * depth_map(scene, side))


WEATHERS: dict[str, Callable[[np.ndarray, Scene, int], np.ndarray]] = {
    "rainy": _rainy,
    "snowy": _snowy,
    "foggy": _foggy,
}
"""Adjective -> what it makes of a drawn scene."""


def _mixed(drawn: np.ndarray, colour: tuple[int, int, int], share: float) -> np.ndarray:
    return drawn * (1 - share) + np.array(colour, np.float32) * share


def _over(drawn: np.ndarray, colour: tuple[int, int, int], cover: np.ndarray) -> np.ndarray:
    """Lay a colour over a picture; ``cover`` is ``(H, W)`` in [0, 1]."""
    return drawn * (1 - cover[..., None]) + np.array(colour, np.float32) * cover[..., None]


@lru_cache(maxsize=4)
def _drops(side: int) -> np.ndarray:
    return _falling(
        side, _NUM_DROPS, lambda pen, x, y, unit: pen.line((x, y, x - 2 * unit, y + 6 * unit), 255, round(unit))
    )


@lru_cache(maxsize=4)
def _flakes(side: int) -> np.ndarray:
    return _falling(
        side, _NUM_FLAKES, lambda pen, x, y, unit: pen.ellipse((x - unit, y - unit, x + unit, y + unit), 255)
    )


def _falling(side: int, count: int, draw: Callable[[ImageDraw.ImageDraw, float, float, float], None]) -> np.ndarray:
    """Return how much of each pixel falls cover: ``(side, side)`` float32 in [0, 1]; a unit is a 64th of the side."""
    large = side * SUPERSAMPLING
    canvas = Image.new("L", (large, large))
    pen = ImageDraw.Draw(canvas)
    places = random_stream("weather", count).uniform(0, 1, (count, 2))
    for x, y in places * large:
        draw(pen, float(x), float(y), large / IMAGE_SIZE)
    return np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) / 255
