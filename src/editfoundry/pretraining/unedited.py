"""How much of what an edit should leave alone is the same in a triplet's two pictures."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from editfoundry.data.record import Triplet
from editfoundry.evaluation.preservation import capped_psnr
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.scene import IMAGE_SIZE, object_boxes, render


def identity_similarity(triplet: Triplet, clip: ClipEncoder) -> float:
    """Return CLIP's similarity of the unedited object in input and output picture, cut out by the box it should have.

    NaN where no object is left unedited or seen.

    Raises:
        ValueError: the captions are not tinyworld's.
    """
    box = unedited_box(triplet.input_caption, triplet.output_caption)
    if box is None:
        return math.nan
    first, second = clip.encode_images([_cut(picture, box) for picture in (triplet.input_image, triplet.output_image)])
    return float(first @ second)


def preservation_psnr(triplet: Triplet) -> float:
    """Return the PSNR in dB, at most 60, of the output against the input picture outside of what truly changes.

    NaN where everything changes.

    Raises:
        ValueError: the captions are not tinyworld's.
    """
    scenes = (scene_from_caption(caption) for caption in (triplet.input_caption, triplet.output_caption))
    outside = ~changed_region(*(render(scene) for scene in scenes))
    if not outside.any():
        return math.nan
    first, second = (_pixels(picture)[outside] for picture in (triplet.input_image, triplet.output_image))
    return capped_psnr(float(np.square(first - second).mean()))


def unedited_box(input_caption: str, output_caption: str) -> tuple[int, int, int, int] | None:
    """Return the square around the most visible object that both captions name alike, in pixels of tinyworld's size.

    Raises:
        ValueError: a caption is not tinyworld's.
    """
    before, after = scene_from_caption(input_caption), scene_from_caption(output_caption)
    boxes = [
        box for thing, box in zip(before.objects, object_boxes(before), strict=True) if box and thing in after.objects
    ]
    if not boxes:
        return None
    left, top, right, bottom = max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
    side = max(right - left, bottom - top)
    x, y = (min(max(0, (low + high - side) // 2), IMAGE_SIZE - side) for low, high in ((left, right), (top, bottom)))
    return x, y, x + side, y + side


def _cut(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    scale = picture.width / IMAGE_SIZE
    return picture.convert("RGB").crop(tuple(round(side * scale) for side in box))  # type: ignore[arg-type]


def _pixels(picture: Image.Image) -> np.ndarray:
    small = picture.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.float64)
