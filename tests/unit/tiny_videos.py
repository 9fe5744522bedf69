"""Small videos of known content, in every codec and container that the encoders at hand can write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

FPS = 20
WIDTH, HEIGHT = 96, 64


def backdrop(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A sharp still scene, ``(h, w, 3)`` uint8 RGB: rectangles of random colours."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), random.integers(60, 200, 3), np.uint8)
    for _ in range(40):
        x, y = int(random.integers(width)), int(random.integers(height))
        corner = (x + int(random.integers(4, 18)), y + int(random.integers(4, 18)))
        cv2.rectangle(picture, (x, y), corner, [int(c) for c in random.integers(0, 255, 3)], -1)
    return picture


def disc(picture: np.ndarray, radius: float, colour: tuple[int, int, int] = (250, 20, 20)) -> np.ndarray:
    """The picture with a disc in its middle."""
    height, width = picture.shape[:2]
    return cv2.circle(picture.copy(), (width // 2, height // 2), round(radius), colour, -1)


def growing_disc(seed: int = 0, num_frames: int = 60, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    """A disc that rests for the first third, grows in the second, and rests in the last."""
    scene, side = backdrop(seed, width, height), min(width, height)
    return [disc(scene, side * (0.08 + 0.22 * np.clip(3 * n / num_frames - 1, 0, 1))) for n in range(num_frames)]


def moving_camera(seed: int, num_frames: int = 60, way: int = 24) -> list[np.ndarray]:
    """A still scene, the camera turning ``way`` pixels to the right."""
    wide = backdrop(seed, WIDTH + way, HEIGHT)
    wide = cv2.resize(wide, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    starts = [round(4 * way * n / num_frames) for n in range(num_frames)]
    cut = [wide[:, x : x + 4 * WIDTH] for x in starts]
    return [cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for picture in cut]


def blurred(pictures: Iterable[np.ndarray], sigma: float = 3.0) -> list[np.ndarray]:
    """All pictures out of focus."""
    return [cv2.GaussianBlur(picture, (0, 0), sigma) for picture in pictures]


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    prepare: Callable[[object], None] | None = None,
    frame_filter: Callable[[av.VideoFrame], None] | None = None,
    format: str | None = None,
) -> Path:
    """Encode pictures; ``times`` in seconds make the frame rate vary."""
    height, width = pictures[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options or {}, format=format) as container:
        stream = container.add_stream(codec, rate=FPS, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if prepare is not None:
            prepare(stream)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            if frame_filter is not None:
                frame = frame.reformat(format=pix_fmt)
                frame_filter(frame)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if codec == "libsvtav1" and hasattr(os, "SCHED_OTHER"):
        # As root, SVT-AV1 leaves the thread that called it in the realtime class, and all that it starts later.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def write_sound(path: Path) -> Path:
    """A file with a second of sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for start in range(0, 16000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
