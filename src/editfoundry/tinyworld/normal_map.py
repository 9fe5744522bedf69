"""Which way every surface faces: things are swollen from their outlines, the ground lies, all else stands."""

from __future__ import annotations

import cv2
import numpy as np

from editfoundry.tinyworld.backgrounds import HORIZON
from editfoundry.tinyworld.pen import SUPERSAMPLING
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, silhouettes

GROUND = (0.0, 0.8, 0.6)
"""Normal of the ground: up, and a little towards the viewer. Axes run right, up and towards the viewer."""
FACING = (0.0, 0.0, 1.0)
"""Normal of the sky, of walls and of whatever stands far away."""
_RIM = 0.95
"""How far a thing's surface is turned away from the viewer at its outline, as the sine of the angle."""


def normal_map(scene: Scene, size: int = IMAGE_SIZE) -> np.ndarray:
    """Return the unit normal of each pixel's surface: ``(size, size, 3)`` float32; axes right, up, towards the viewer.

    A thing is taken for a cushion: at its outline it faces outwards, along its middle line the viewer.
    """
    side = size * SUPERSAMPLING
    heights = 1 - (np.arange(side) + 0.5) / side
    normals = np.empty((side, side, 3), dtype=np.float32)
    normals[:] = np.where(heights[:, None, None] < HORIZON, np.array(GROUND), np.array(FACING))
    for shown in silhouettes(scene, size):
        normals[shown] = _cushion(shown)[shown]
    reduced = normals.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.asarray(reduced / np.linalg.norm(reduced, axis=-1, keepdims=True), dtype=np.float32)


def _cushion(shown: np.ndarray) -> np.ndarray:
    """Return ``(H, W, 3)`` normals of a cushion with this outline."""
    depth = cv2.distanceTransform(shown.astype(np.uint8), cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(depth, (0, 0), max(1.0, 0.15 * float(depth.max())))
    down, right = np.gradient(smooth)
    slope = np.maximum(np.hypot(down, right), 1e-6)
    turned = _RIM * np.clip(1 - depth / max(float(depth.max()), 1.0), 0, 1) * np.clip(slope / 0.5, 0, 1)
    return np.stack([-right / slope * turned, down / slope * turned, np.sqrt(1 - turned**2)], axis=-1)
