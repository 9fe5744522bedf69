"""The frames of a storyline that a video-language model sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from editfoundry.data.video_pictures import picture
from editfoundry.data.videos import TimedFrame, open_video
from editfoundry.errors import Rejection


def storyline_frames(path: Path, first: float, last: float, num_frames: int, longer_side: int) -> list[Image.Image]:
    """Return ``num_frames`` frames, RGB, evenly spread from ``first`` to ``last`` seconds, both included.

    Raises:
        Rejection: ``unreadable`` and its kin, as `open_video` says.
    """
    wanted = np.linspace(first, last, num_frames)
    chosen: list[TimedFrame | None] = [None] * num_frames
    with open_video(path) as video:
        half = 0.5 / video.frame_rate
        for timed in video.frames(max(0.0, first - half), last + half):
            for number, time in enumerate(wanted):
                best = chosen[number]
                if best is None or abs(timed.time - time) < abs(best.time - time):
                    chosen[number] = timed
        found = [timed for timed in chosen if timed is not None]
        if not found:
            raise Rejection("unreadable", f"no frame from {first:.2f} to {last:.2f} s")
        return [picture(timed.frame, video.pixel_aspect, longer_side) for timed in found]
