"""The few decoded frames of a shot that are held to choose a pair from.

Memory does not grow with the length of a video: at most ``max_held_frames`` are held, spread over the shot, and of each
stretch of time the sharpest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from av import VideoFrame

from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.looks import Look
from editfoundry.synthesis.frame_pairs.motion import Motion

_MIN_HELD = 4
_WIDENING = 1.5
"""What stretches grow by when there are too many."""


@dataclass(frozen=True, eq=False)
class HeldFrame:
    """A frame that may become one of a pair."""

    look: Look
    frame: VideoFrame
    """In the decoder's own format: nothing is converted that is not chosen."""
    pose: Motion
    """Of the camera since the shot's first frame."""
    speed: float = 0.0
    """Of the camera when it came here, in widths of the picture a second."""

    @property
    def time(self) -> float:
        """Seconds."""
        return self.look.time


class HeldFrames:
    """Holds frames of one shot that come in the order of time."""

    def __init__(self, config: FramePairConfig) -> None:
        self._config = config
        self._gap = config.min_hold_seconds
        self.frames: list[HeldFrame] = []
        """In the order of time."""

    def add(self, held: HeldFrame) -> None:
        """Hold a frame, or let it go where its stretch has a sharper one."""
        if self.frames and self._stretch(held) == self._stretch(self.frames[-1]):
            if held.look.sharpness > self.frames[-1].look.sharpness:
                self.frames[-1] = held
            return
        self.frames.append(held)
        while len(self.frames) > self._capacity(held.frame):
            self._gap *= _WIDENING
            self._thin()

    def drop_after(self, time: float) -> None:
        """Let the frames later than ``time`` go."""
        self.frames = [held for held in self.frames if held.time <= time]

    def _thin(self) -> None:
        best: dict[int, HeldFrame] = {}
        for held in self.frames:
            rival = best.get(self._stretch(held))
            if rival is None or held.look.sharpness > rival.look.sharpness:
                best[self._stretch(held)] = held
        self.frames = list(best.values())

    def _stretch(self, held: HeldFrame) -> int:
        return math.floor(held.time / self._gap + 1e-6)

    def _capacity(self, frame: VideoFrame) -> int:
        size = sum(plane.buffer_size for plane in frame.planes)
        fitting = self._config.max_held_megabytes * 2**20 // max(1, size)
        return max(_MIN_HELD, min(self._config.max_held_frames, fitting))
