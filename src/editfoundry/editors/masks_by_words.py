"""Masks from words: the detector finds what they name, the segmenter tells its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.pretrained.detector import FoundBox, apart
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from editfoundry.pretrained.detector import Detector
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.pretrained.segmenter import Segmenter

MARGIN = 0.03
"""How far a mask goes beyond its thing, as a share of the thing's longer side: what is painted needs room for edges."""
_POINTS_A_SIDE = 3
_MIN_OVERLAP = 0.3
"""Least IoU of an outline's box with the detector's; below it the box is taken."""


def load_mask_models(profile: Profile, runtime: Runtime) -> tuple[Detector, Segmenter]:
    """Load what finds things by words and tells their outlines.

    Raises:
        BadInputError: the profile names no model for one of them, or its folder cannot be loaded.
        MissingModelError: a model is not on this machine.
    """
    from editfoundry.pretrained.detector import load_detector
    from editfoundry.pretrained.segmenter import load_segmenter

    return load_detector(profile, runtime), load_segmenter(profile, runtime)


def mask_of_words(
    words: str, picture: Image.Image, detector: Detector, segmenter: Segmenter, threshold: float
) -> Image.Image:
    """Return the mask of everything that the words name: 8-bit grey of the picture's size, white where to edit.

    Args:
        words: such as ``"the cup"``; an article at the start does not count.
        picture: RGB.
        detector: finds the things.
        segmenter: tells their outlines; where it sees none in a thing's box, the box is the mask.
        threshold: least score of a find.

    Raises:
        BadInputError: nothing is found.
    """
    phrase = _without_article(words)
    found = apart(detector.find([picture], [[phrase]], threshold)[0][0])
    boxes = [find for find in found if _pixels(find, picture.size)]
    if not boxes:
        raise BadInputError(
            f"--what {words!r}: nothing of that name is found in the picture, with a score of {threshold:g} or more: "
            "say it otherwise, lower --threshold, or give a mask or --box"
        )
    mask = np.zeros((picture.height, picture.width), dtype=bool)
    for find in boxes:
        mask |= _outline(find, picture, segmenter)
    return Image.fromarray(mask.astype(np.uint8) * 255)


def _without_article(words: str) -> str:
    first, _, rest = words.strip().partition(" ")
    return rest.strip() if first.lower() in ("a", "an", "the") and rest.strip() else words.strip()


def _outline(find: FoundBox, picture: Image.Image, segmenter: Segmenter) -> np.ndarray:
    """Return ``(H, W)`` bool: of what SAM sees in the box the mask that fills it best, grown by the margin."""
    x0, y0, x1, y1 = _pixels(find, picture.size) or (0, 0, 0, 0)
    box = np.zeros((picture.height, picture.width), dtype=bool)
    box[y0:y1, x0:x1] = True
    masks, _ = segmenter.masks_at(picture, _points((x0, y0, x1, y1)))
    inside = masks.reshape(-1, *box.shape) & box
    overlaps = [_box_overlap(mask, box) for mask in inside]
    best = int(np.argmax(overlaps))
    chosen = inside[best] if overlaps[best] >= _MIN_OVERLAP else box
    return _grown(chosen, round(MARGIN * max(x1 - x0, y1 - y0)))


def _points(box: tuple[int, int, int, int]) -> list[tuple[float, float]]:
    """Return a grid of points within the middle half of a box, its centre among them."""
    x0, y0, x1, y1 = box
    shares = np.linspace(0.25, 0.75, _POINTS_A_SIDE)
    return [(x0 + share * (x1 - x0), y0 + other * (y1 - y0)) for other in shares for share in shares]


def _box_overlap(mask: np.ndarray, box: np.ndarray) -> float:
    """Return the IoU of a mask's own box with another one; 0 of an empty mask."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    own = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    # The mask lies within the box.
    return float(own / box.sum())


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    if radius < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc)).astype(bool)


def _pixels(find: FoundBox, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return a find's box in whole pixels, upper ends exclusive; None where it holds no pixel."""
    x0, y0, x1, y1 = find.box
    left, upper = int(x0), int(y0)
    right, lower = min(size[0], int(np.ceil(x1))), min(size[1], int(np.ceil(y1)))
    return (left, upper, right, lower) if right > left and lower > upper else None
