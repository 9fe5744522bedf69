"""How the camera moves while a clip is filmed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MOVES = ("fixed", "pan", "shake", "zoom")


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera on a stand, turning, in a shaking hand, or zooming in."""

    move: str = "fixed"
    seconds: float = 1.0
    """Length of the clip."""
    pan: tuple[float, float] = (0.0, 0.0)
    """Whole way to the right and down, as shares of the picture's width."""
    zoom: float = 1.0
    """Magnification at the end."""
    shake: tuple[tuple[float, float, float], ...] = ()
    """Waves of the shaking: amplitude as a share of the picture's width, frequency in Hz, phase in radians; those of
    even place move the camera sideways, the others up and down."""

    def matrix(self, time: float, size: int) -> np.ndarray:
        """Return the ``(2, 3)`` affine map from picture to filmed pixels at ``time``, ``size`` pixels to a side."""
        share = min(1.0, max(0.0, time / self.seconds))
        x, y = (share - 0.5) * self.pan[0], (share - 0.5) * self.pan[1]
        for number, (amplitude, frequency, phase) in enumerate(self.shake):
            offset = amplitude * math.sin(2 * math.pi * frequency * time + phase)
            x, y = (x + offset, y) if number % 2 == 0 else (x, y + offset)
        scale = 1 + (self.zoom - 1) * share
        middle = size * (1 - scale) / 2
        return np.array([[scale, 0.0, middle - x * size], [0.0, scale, middle - y * size]])


def sample_camera(random: np.random.Generator, move: str, seconds: float, strength: float = 1.0) -> Camera:
    """Draw a camera of one of ``MOVES``; ``strength`` multiplies its usual motion."""
    if move == "pan":
        angle, way = random.uniform(0, 2 * math.pi), strength * random.uniform(0.12, 0.2)
        return Camera(move=move, seconds=seconds, pan=(way * math.cos(angle), way * math.sin(angle)))
    if move == "zoom":
        return Camera(move=move, seconds=seconds, zoom=1 + strength * float(random.uniform(0.12, 0.22)))
    if move == "shake":
        waves = tuple(
            (strength * float(random.uniform(0.008, 0.02)), float(random.uniform(0.8, 3.0)),
             float(random.uniform(0, 2 * math.pi)))
            for _ in range(4)
        )  # fmt: skip
        return Camera(move=move, seconds=seconds, shake=waves)
    return Camera(seconds=seconds)
