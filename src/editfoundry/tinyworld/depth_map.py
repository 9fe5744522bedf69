"""How near everything in a scene is, exactly: a flat ground up to the horizon, and upright things that stand on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from editfoundry.tinyworld.backgrounds import HORIZON, Background, is_indoors, paint_background, paint_sky
from editfoundry.tinyworld.pen import SUPERSAMPLING
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, silhouettes

SKY = 0.0
FAR = 0.1
"""Inverse depth at the horizon, and of the hills, trees and houses that stand there."""
WALL = 0.25
"""Inverse depth of a room's wall."""


def depth_map(scene: Scene, size: int = IMAGE_SIZE) -> np.ndarray:
    """Return the inverse depth of each pixel: ``(size, size)`` float32, 1 at the lower edge, 0 in the sky.

    Seen in perspective, the inverse depth of a flat ground falls evenly from the lower edge to the horizon. A thing is
    as near as the ground that it stands on.
    """
    nearness = _ground(scene.background, size).copy()
    at_horizon = WALL if is_indoors(scene.background) else FAR
    for thing, shown in zip(scene.objects, silhouettes(scene, size), strict=True):
        nearness[shown] = _of_height(np.float32(thing.ground), at_horizon)
    return nearness.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean(axis=(1, 3), dtype=np.float32)


@lru_cache(maxsize=64)
def _ground(background: Background, size: int) -> np.ndarray:
    """Return the empty background's inverse depth at the resolution of ``paint``."""
    side = size * SUPERSAMPLING
    heights = (1 - (np.arange(side, dtype=np.float32) + 0.5) / side)[:, None]
    indoors = is_indoors(background)
    at_horizon = WALL if indoors else FAR
    behind = (
        np.full((side, side), WALL, dtype=np.float32) if indoors else np.where(_stands_far(background, size), FAR, SKY)
    )
    return np.where(heights < HORIZON, _of_height(heights, at_horizon), behind).astype(np.float32)


def _of_height(height: np.ndarray | np.float32, at_horizon: float) -> np.ndarray:
    """Return the inverse depth of ground at a height above the lower edge, as a share of the picture."""
    return np.asarray(1 - (1 - at_horizon) * height / HORIZON, dtype=np.float32)


def _stands_far(background: Background, size: int) -> np.ndarray:
    """Return where something stands before the sky, ``(side, side)`` bool."""
    painted, sky = paint_background(background, size), paint_sky(background, size * SUPERSAMPLING)
    differs: np.ndarray = (np.asarray(painted) != np.asarray(sky)).any(axis=-1)
    return differs
