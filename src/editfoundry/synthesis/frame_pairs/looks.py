"""What is kept of a frame that was looked at: a thumbnail, its sharpness and its contrast."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation

WORK_SIDE = 320
"""Pixels of the longer side at which sharpness is measured; sharpness depends on it."""
THUMBNAIL_SIDE = 160
"""Pixels of a thumbnail's longer side."""
NUM_POINTS = 72
"""Points at most that are followed from frame to frame."""
_TILES = (3, 4)
"""Rows and columns of tiles; each gives as many points, so that no one thing outvotes the rest of the picture."""
_CHROMA_WEIGHT = 1.5
_MIN_CONTRAST = 5.0


@dataclass(frozen=True, eq=False)
class Look:
    """A frame at a glance."""

    time: float
    """Seconds."""
    thumbnail: np.ndarray
    """``(h, w, 3)`` uint8: luma, then both chroma channels stretched about grey."""
    sharpness: float
    """Variance of the Laplacian over variance of luma: high for crisp, towards 0 for blurred."""
    contrast: float
    """Standard deviation of luma, 0 to 127."""
    shape: tuple[int, int] = field(default=(0, 0))
    """Height and width of the frame itself."""

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to see: black, white, or of one colour."""
        return self.contrast < _MIN_CONTRAST

    @cached_property
    def luma(self) -> np.ndarray:
        """``(h, w)`` uint8."""
        return np.ascontiguousarray(self.thumbnail[..., 0])

    @cached_property
    def covered(self) -> np.ndarray:
        """``(h, w, 4)`` uint8: the thumbnail, and 255 wherever it shows anything."""
        return cv2.cvtColor(self.thumbnail, cv2.COLOR_BGR2BGRA)

    @cached_property
    def few(self) -> np.ndarray:
        """``(h / 4, w / 4, 3)`` float32: the thumbnail at every fourth place."""
        return self.thumbnail[1::4, 1::4].astype(np.float32)

    @cached_property
    def few_luma(self) -> np.ndarray:
        """See `few_luma`, of the thumbnail."""
        return few_luma(self.thumbnail)

    @cached_property
    def points(self) -> np.ndarray:
        """``(n, 1, 2)`` float32: places (x, y) that can be followed; ``n`` may be 0."""
        found = cv2.goodFeaturesToTrack(self.luma, 3 * NUM_POINTS, 0.005, max(3, min(self.luma.shape) // 24))
        return np.empty((0, 1, 2), np.float32) if found is None else _spread(found, self.luma.shape)


def few_luma(thumbnail: np.ndarray) -> np.ndarray:
    """Return luma at every fourth place, lifted off zero, for ratios: float32."""
    return thumbnail[1::4, 1::4, 0] + np.float32(4)


def look_at(frame: VideoFrame, time: float) -> Look:
    """Scale a decoded frame down and measure it; its full-resolution colours are never computed."""
    scale = min(1.0, WORK_SIDE / max(frame.width, frame.height))
    width, height = _even(frame.width * scale), _even(frame.height * scale)
    small = frame.reformat(width, height, "yuv420p", interpolation=Interpolation.AREA)
    luma, *chroma = (_plane(small, number) for number in range(3))
    _, deviation = cv2.meanStdDev(luma)
    _, edges = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
    contrast = float(deviation[0, 0])
    return Look(
        time=time,
        thumbnail=_thumbnail(luma, chroma),
        contrast=contrast,
        shape=(frame.height, frame.width),
        sharpness=float(edges[0, 0] ** 2) / max(contrast**2, 1.0),
    )


def _spread(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return of each tile the best points; they come best first."""
    rows, columns = _TILES
    x, y = points[:, 0, 0], points[:, 0, 1]
    tiles = (y * rows / shape[0]).astype(int) * columns + (x * columns / shape[1]).astype(int)
    kept = [np.flatnonzero(tiles == tile)[: NUM_POINTS // (rows * columns)] for tile in range(rows * columns)]
    return points[np.concatenate(kept)]


def _thumbnail(luma: np.ndarray, chroma: list[np.ndarray]) -> np.ndarray:
    scale = min(1.0, THUMBNAIL_SIDE / max(luma.shape))
    size = (max(2, round(luma.shape[1] * scale)), max(2, round(luma.shape[0] * scale)))
    planes = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) if scale < 1 else luma]
    for plane in chroma:
        stretched = cv2.convertScaleAbs(plane, alpha=_CHROMA_WEIGHT, beta=128 * (1 - _CHROMA_WEIGHT))
        planes.append(cv2.resize(stretched, size, interpolation=cv2.INTER_LINEAR))
    return cv2.merge(planes)


def _plane(frame: VideoFrame, number: int) -> np.ndarray:
    plane = frame.planes[number]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _even(pixels: float) -> int:
    return max(4, 2 * round(pixels / 2))
