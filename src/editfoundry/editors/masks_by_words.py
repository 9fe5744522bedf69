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
        BadInputError: nothing is found, or the detector does not know one of the words.
    """
    phrase = _without_article(words)
    if unknown := detector.unknown_words(phrase):
        raise BadInputError(
            f"--what {words!r}: the detector {detector.name} does not know {', '.join(map(repr, unknown))}: say it "
            "otherwise, or give a mask or --box"
        )
    found = apart(detector.find([picture], [[phrase]], threshold)[0][0])
    boxes = [box for find in found if (box := _pixels(find, picture.size))]
    if not boxes:
        raise BadInputError(
            f"--what {words!r}: nothing of that name is found in the picture, with a score of {threshold:g} or more: "
            "say it otherwise, lower --threshold, or give a mask or --box"
        )
    mask = np.zeros((picture.height, picture.width), dtype=bool)
    for box, (outline, fit) in zip(boxes, segmenter.outlines_in(picture, boxes), strict=True):
        mask |= _room_for(box, outline if fit >= _MIN_OVERLAP else None, mask.shape)
    return Image.fromarray(mask.astype(np.uint8) * 255)


def _without_article(words: str) -> str:
    first, _, rest = words.strip().partition(" ")
    return rest.strip() if first.lower() in ("a", "an", "the") and rest.strip() else words.strip()


def _room_for(box: tuple[int, int, int, int], outline: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``(H, W)`` bool: an outline, or the box where there is none, grown by the margin."""
    x0, y0, x1, y1 = box
    if outline is None:
        outline = np.zeros(shape, dtype=bool)
        outline[y0:y1, x0:x1] = True
    return _grown(outline, round(MARGIN * max(x1 - x0, y1 - y0)))


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
