"""How near everything in a scene is: the ground is a plane seen in perspective, and things stand upright on it."""

from __future__ import annotations

import numpy as np

from editfoundry.tinyworld.backgrounds import HORIZON
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, object_masks

FAR = 0.1
"""Nearness of the sky, of walls and of whatever else stands behind the ground."""


def nearness_map(scene: Scene, size: int = IMAGE_SIZE) -> np.ndarray:
    """Return each pixel's inverse distance, ``(size, size)`` float32 in [``FAR``, 1]; 1 is the ground's nearest edge.

    A ground plane below a horizon has an inverse distance that falls linearly with the height in the picture. An
    object is as near, all over, as the ground at its foot.
    """
    rows = (np.arange(size, dtype=np.float32) + 0.5) / size
    ground = nearness_at(1 - rows).astype(np.float32)
    nearness = np.repeat(ground[:, None], size, axis=1)
    for thing, mask in zip(scene.objects, object_masks(scene, size), strict=True):
        nearness[mask] = nearness_at(np.float32(thing.ground))
    return nearness


def nearness_at(height: np.ndarray | np.floating) -> np.ndarray:
    """Return the ground's inverse distance at heights above the picture's lower edge, shares of its height."""
    return np.clip((HORIZON - np.asarray(height)) / HORIZON, FAR, 1.0)
