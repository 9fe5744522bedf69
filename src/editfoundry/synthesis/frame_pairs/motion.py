"""The camera's motion between two looks, and what has changed once that motion is undone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from editfoundry.synthesis.frame_pairs.looks import Look, few_luma

_MIN_TRACKS = 8
_TRACK_ERROR = 1.5
"""Pixels of the thumbnail that a followed point may lie beside the camera's motion."""
_STILL = 0.6
"""Mean difference of two thumbnails, of 255, below which the camera has not moved."""
_RESTING = 0.3
"""Pixels of the thumbnail that a point on a camera's stand may seem to move."""
_RESTING_SHARE = 0.4
"""Share of the points that rest only when the camera does, however large the thing is that moves before it."""
_MOVED = 0.25
"""Pixels of the thumbnail below which motion is not worth undoing."""
_CONTRAST_SHARE = 0.35
_MIN_DIFFERENCE, _MAX_DIFFERENCE = 8.0, 24.0
_MAX_ZOOM, _MAX_TURN = 0.04, 0.08
"""Change of scale, and radians, from one look to the next."""
_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
"""How often at most, and down to how many pixels, a followed point's place is bettered."""
_TILES = 6
_TILE_SHARE = 0.04
"""Share of a tile that must differ for the tile to count."""
_PARTS = (6, 4)
"""Columns and rows of parts whose mean colours are compared."""
_OTHER_COLOUR = 16
"""Difference, of 255, of two mean colours."""
_AROUND = 1 / 40
"""Share of the picture's longer side by which a pattern may lie beside its place."""
_PATTERN = 6.0
"""Standard deviation of luma from which a tile shows a pattern."""
_ALIKE_PATTERN = 0.65
"""Correlation from which two patterns are the same."""
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Motion:
    """How places of one look map to places of a later one."""

    matrix: np.ndarray
    """``(3, 3)`` float64, a similarity."""
    lost: float
    """Share of the followed points that could not be followed, or went another way, in [0, 1]."""
    is_followed: bool = False
    """Whether there were points enough to follow and enough of them were found again."""

    def followed_by(self, later: Motion) -> Motion:
        """Return the motion from this one's first look to the later one's last."""
        return Motion(later.matrix @ self.matrix, max(self.lost, later.lost))


@dataclass(frozen=True)
class Change:
    """What differs between two looks, the camera's motion undone."""

    share: float
    """Share of the common field of view that differs, in [0, 1]."""
    overlap: float
    """Share of the first look's field of view that the second one shows."""
    spread: float
    """Share of the tiles of the picture in which something differs: low for a thing that changes, high for a scene."""


NO_MOTION = Motion(np.eye(3), 0.0)


def camera_motion(first: Look, second: Look) -> Motion:
    """Follow points from one look to the next and fit the similarity that most of them obey."""
    if cv2.norm(first.luma, second.luma, cv2.NORM_L1) / first.luma.size < _STILL:
        return NO_MOTION
    if len(first.points) < _MIN_TRACKS:
        return NO_MOTION
    window = (11, 11)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        first.luma, second.luma, first.points, None, winSize=window, maxLevel=3, criteria=_STEPS
    )
    kept = found[:, 0] == 1
    if kept.sum() < _MIN_TRACKS:
        return Motion(np.eye(3), 1.0)
    ways = np.linalg.norm((moved - first.points)[kept, 0], axis=1)
    resting = float((ways < _RESTING).sum()) / len(first.points)
    if resting >= _RESTING_SHARE:
        return Motion(np.eye(3), 1 - resting, is_followed=True)
    matrix, inliers = cv2.estimateAffinePartial2D(
        first.points[kept], moved[kept], ransacReprojThreshold=_TRACK_ERROR, maxIters=300
    )
    if matrix is None:
        return Motion(np.eye(3), 1.0)
    num_followed = int(inliers.sum())
    if not _is_gentle(matrix):
        matrix, num_followed = _translation((moved - first.points)[kept, 0])
    return Motion(np.vstack([matrix, [0.0, 0.0, 1.0]]), 1 - num_followed / len(first.points), is_followed=True)


def change_between(first: Look, second: Look, motion: Motion, threshold: float | None = None) -> Change:
    """Compare two looks pixel by pixel, a pixel's way off and a drift of the exposure aside.

    Args:
        first: the earlier look.
        second: the later one.
        motion: the camera's, from the first to the second.
        threshold: difference, of 255, from which a pixel differs; by default it depends on the picture's contrast.
    """
    differs, overlap = _differing(first, second, motion, threshold)
    common = differs.size if overlap is None else max(1, cv2.countNonZero(overlap))
    return Change(cv2.countNonZero(differs) / common, common / differs.size, _spread(differs))


def taken_over(look: Look, home: Look, other: Look, motion: Motion) -> tuple[float, float]:
    """Tell how much of a look shows another scene: what differs from its own and is in the other, at the same place.

    Args:
        look: of its scene, or of a moment of a wipe.
        home: a look of its scene alone.
        other: of the other scene, or of a moment of the same wipe when more of it shows.
        motion: the camera's, from ``look`` to ``home``.

    Returns:
        The share of the picture that shows the other scene, and the share of what differs from ``home`` that does.
    """
    new, _ = _differing(look, home, motion, None)
    # Of two scenes there is no common exposure to undo.
    unlike = _unlike(look.thumbnail, other.thumbnail, _threshold(look, other))
    shown = cv2.countNonZero(cv2.bitwise_and(new, cv2.bitwise_not(unlike)))
    return shown / new.size, shown / max(1, cv2.countNonZero(new))


def _differing(
    first: Look, second: Look, motion: Motion, threshold: float | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return where two looks differ, see `change_between`, and which pixels both see; None is all."""
    seen, overlap = _aligned(first, second, motion)
    chosen = _threshold(first, second) if threshold is None else threshold
    differs = _unlike(first.thumbnail, _with_exposure_of(first, seen), chosen)
    return (differs if overlap is None else cv2.bitwise_and(differs, overlap)), overlap


def _threshold(first: Look, second: Look) -> float:
    return min(_MAX_DIFFERENCE, max(_MIN_DIFFERENCE, _CONTRAST_SHARE * min(first.contrast, second.contrast)))


def _unlike(a: np.ndarray, b: np.ndarray, threshold: float) -> np.ndarray:
    """Return 255 where no neighbour of a pixel's counterpart looks like it, else 0."""
    excess = cv2.max(cv2.subtract(a, cv2.dilate(b, _SQUARE)), cv2.subtract(cv2.erode(b, _SQUARE), a))
    luma, *chroma = cv2.split(excess)
    strongest = cv2.max(luma, cv2.max(*chroma))
    _, differs = cv2.threshold(strongest, threshold, 255, cv2.THRESH_BINARY)
    return cv2.morphologyEx(differs, cv2.MORPH_OPEN, _SQUARE[:2, :2])


def other_colours(first: Look, second: Look) -> float:
    """Return the share of the picture's parts whose mean colour is another in a second look, sharp or blurred."""
    means = [cv2.resize(look.thumbnail, _PARTS, interpolation=cv2.INTER_AREA).astype(int) for look in (first, second)]
    return float((np.abs(means[0] - means[1]).max(axis=-1) > _OTHER_COLOUR).mean())


def lost_structure(first: Look, second: Look, motion: Motion) -> float:
    """Return the share of the picture's tiles whose pattern is not found again in a later look, in [0, 1].

    A pattern is found whatever the light: by its correlation, and a few pixels around its place. Tiles where neither
    look shows a pattern do not count. Night, snow or a thing that grows leaves most tiles; another scene hardly any.
    """
    seen, overlap = _aligned(first, second, motion)
    b = np.ascontiguousarray(seen[..., 0])
    found = [_is_found(first.luma, b, overlap, row, column) for row in range(_TILES) for column in range(_TILES)]
    votes = [is_found for is_found in found if is_found is not None]
    return votes.count(False) / len(votes) if len(votes) >= _TILES else 0.0


def mixture(
    first: Look, middle: Look, last: Look, to_first: Motion | None = None, to_last: Motion | None = None
) -> tuple[float, float]:
    """Take ``middle`` for a mixture of the two others.

    Args:
        first: the earlier look.
        middle: what may be a mixture.
        last: the later look.
        to_first: the camera's motion from ``middle`` to ``first``, to be undone; by default it stands still.
        to_last: from ``middle`` to ``last``.

    Returns:
        How much of ``last`` is in it, and what is left when the mixture is taken away, against how far the two others
        are apart: near 0 within a cross-fade, near 1 where things move or grow.
    """
    start, seen_first = _aligned(middle, first, to_first or NO_MOTION)
    end, seen_last = _aligned(middle, last, to_last or NO_MOTION)
    start = start.astype(np.float32)
    so_far, way_there = middle.thumbnail - start, end - start
    for seen in (seen_first, seen_last):
        if seen is not None:
            so_far[seen == 0] = way_there[seen == 0] = 0
    return _mixture(so_far, way_there)


def rough_mixture(first: Look, middle: Look, last: Look) -> tuple[float, float]:
    """Estimate `mixture` from one place in sixteen."""
    return _mixture(middle.few - first.few, last.few - first.few)


def between_poses(first: Motion, second: Motion) -> Motion:
    """Return the motion from one pose of the camera to a later one."""
    return Motion(second.matrix @ np.linalg.inv(first.matrix), 0.0)


def way(motion: Motion, look: Look) -> float:
    """Return how far the camera's motion carries a corner or the middle of the picture, as a share of its width."""
    return _largest_shift(motion.matrix, look) / look.luma.shape[1]


def _is_found(a: np.ndarray, b: np.ndarray, overlap: np.ndarray | None, row: int, column: int) -> bool | None:
    """Return whether a tile of ``a`` is in ``b``, near its place; None where nothing can be told."""
    height, width = a.shape[0] // _TILES, a.shape[1] // _TILES
    top, left = row * height, column * width
    if overlap is not None and not overlap[top : top + height, left : left + width].all():
        return None
    tile = a[top : top + height, left : left + width]
    around = max(1, round(max(a.shape) * _AROUND))
    window = b[max(0, top - around) : top + height + around, max(0, left - around) : left + width + around]
    if max(tile.std(), b[top : top + height, left : left + width].std()) < _PATTERN:
        return None
    if tile.std() < _PATTERN / 2:
        return False
    return bool(cv2.matchTemplate(window, tile, cv2.TM_CCOEFF_NORMED).max() >= _ALIKE_PATTERN)


def _spread(differs: np.ndarray) -> float:
    """Return the share of tiles that differ; the few rows and columns beyond the last whole tile do not count."""
    height, width = (max(_TILES, side - side % _TILES) for side in differs.shape)
    tiles = cv2.resize(differs[:height, :width], (_TILES, _TILES), interpolation=cv2.INTER_AREA)
    return float(np.count_nonzero(tiles > _TILE_SHARE * 255)) / tiles.size


def _aligned(first: Look, second: Look, motion: Motion) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the second thumbnail as the first camera would see it, and which pixels both see; None is all."""
    if _largest_shift(motion.matrix, first) < _MOVED:
        return second.thumbnail, None
    height, width = first.luma.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(second.covered, motion.matrix[:2], (width, height), flags=flags)
    _, overlap = cv2.threshold(cv2.extractChannel(warped, 3), 254, 255, cv2.THRESH_BINARY)
    seen = cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR)
    return seen, cv2.erode(overlap, _SQUARE, borderType=cv2.BORDER_REPLICATE)


def _with_exposure_of(first: Look, b: np.ndarray) -> np.ndarray:
    """Scale the luma of ``b`` by the ratio that most places obey."""
    ratios = np.sort(first.few_luma / few_luma(b), axis=None)
    gain = float(ratios[(ratios.size - 1) // 2] + ratios[ratios.size // 2]) / 2
    if not 0.4 < gain < 2.5 or abs(gain - 1) < 0.03:
        return b
    scaled = b.copy()
    scaled[..., 0] = cv2.convertScaleAbs(np.ascontiguousarray(b[..., 0]), alpha=gain)
    return scaled


def _largest_shift(matrix: np.ndarray, look: Look) -> float:
    places = _places(*look.luma.shape)
    x, y = matrix[:2] @ places - places[:2]
    return math.sqrt(float((x * x + y * y).max()))


@lru_cache(maxsize=64)
def _places(height: int, width: int) -> np.ndarray:
    """Return a picture's corners and its middle, ``(3, 5)``."""
    return np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1], [width / 2, height / 2, 1]]).T


def _is_gentle(matrix: np.ndarray) -> bool:
    """Whether a camera zooms and turns like that; faster, it is a thing that grows or turns before it."""
    scale, angle = float(np.hypot(matrix[0, 0], matrix[1, 0])), float(np.arctan2(matrix[1, 0], matrix[0, 0]))
    return abs(scale - 1) <= _MAX_ZOOM and abs(angle) <= _MAX_TURN


def _translation(ways: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the shift that most of the ``(n, 2)`` ways agree on, as a ``(2, 3)`` matrix, and how many do."""
    near = np.linalg.norm(ways[:, None] - ways[None, :], axis=2) < _TRACK_ERROR / 2
    best = int(near.sum(axis=1).argmax())
    shift = ways[near[best]].mean(axis=0)
    return np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]]), int(near[best].sum())


def _mixture(so_far: np.ndarray, way_there: np.ndarray) -> tuple[float, float]:
    length = max(float(np.vdot(way_there, way_there)), 1.0)
    share = float(np.vdot(so_far, way_there)) / length
    rest = so_far - share * way_there
    return share, math.sqrt(float(np.vdot(rest, rest)) / length)
