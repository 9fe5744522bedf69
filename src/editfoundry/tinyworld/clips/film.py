"""Draws a clip's frames."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from editfoundry.tinyworld.clips.camera import Camera
from editfoundry.tinyworld.clips.plan import ClipPlan, Take
from editfoundry.tinyworld.scene import Morph, Scene, render

FRAME_SIZE = 128
"""Pixels to a side, by default."""
NOISE = 1.5
"""Standard deviation of the sensor's noise, of 255."""


def film(plan: ClipPlan, size: int, fps: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the clip's frames, ``(size, size, 3)`` uint8 RGB, ``fps`` of them a second."""
    drawing = _Drawing(size)
    # One field of noise, each frame another corner of it: drawing noise anew would cost more than drawing the world.
    noise = (NOISE * random.standard_normal((2 * size, 2 * size, 3), dtype=np.float32)).round().astype(np.int16)
    for number in range(num_frames(plan, fps)):
        time = number / fps
        frame = film_picture(drawing.picture(plan, time), plan.camera, time)
        for blur in plan.blurs:
            if blur.start <= time < blur.end:
                frame = cv2.GaussianBlur(frame, (0, 0), blur.sigma * size)
        frame = cv2.convertScaleAbs(frame, alpha=_brightness(plan, time))
        x, y = random.integers(size, size=2)
        yield np.clip(frame + noise[y : y + size, x : x + size], 0, 255).astype(np.uint8)


def film_picture(picture: np.ndarray, camera: Camera, time: float) -> np.ndarray:
    """Return what a camera sees at ``time`` of a square picture, uint8 RGB both."""
    size = len(picture)
    return cv2.warpAffine(picture, camera.matrix(time, size), (size, size), borderMode=cv2.BORDER_REFLECT_101)


def num_frames(plan: ClipPlan, fps: int) -> int:
    """Return how many frames the clip has."""
    return round(plan.seconds * fps)


class _Drawing:
    """Draws scenes at one size, each look once as long as it lasts."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._drawn: dict[tuple[Scene, Morph | None], np.ndarray] = {}

    def picture(self, plan: ClipPlan, time: float) -> np.ndarray:
        take, following, share = _on_screen(plan, time)
        picture = self._take(take, time)
        if following is None:
            return picture
        return cv2.addWeighted(picture, 1 - share, self._take(following, time), share, 0)

    def _take(self, take: Take, time: float) -> np.ndarray:
        look = take.look(time)
        if look not in self._drawn:
            # Two takes are on the screen at most.
            while len(self._drawn) > 1:
                self._drawn.pop(next(iter(self._drawn)))
            self._drawn[look] = render(look[0], self._size, look[1])
        return self._drawn[look]


def _on_screen(plan: ClipPlan, time: float) -> tuple[Take, Take | None, float]:
    """Return the take at ``time``, the one that is faded in, if any, and how far that has come."""
    number = next((i for i, take in enumerate(plan.takes) if time < take.end), len(plan.takes) - 1)
    half = plan.dissolve_seconds / 2
    if number and time < plan.takes[number].start + half:
        number -= 1
    take = plan.takes[number]
    if number + 1 == len(plan.takes) or time < take.end - half or half == 0:
        return take, None, 0.0
    return take, plan.takes[number + 1], min(1.0, (time - take.end + half) / (2 * half))


def _brightness(plan: ClipPlan, time: float) -> float:
    if plan.fade_seconds == 0:
        return 1.0
    return float(np.clip(min(time, plan.seconds - time) / plan.fade_seconds, 0.0, 1.0))
