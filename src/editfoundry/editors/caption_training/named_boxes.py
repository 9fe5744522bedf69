"""Boxes of what captions name, found once for all pictures and kept in files; an interrupted search goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from editfoundry.data.captioned_pictures import CaptionedPictures
from editfoundry.data.hashing import input_hash
from editfoundry.editors.caption_training.caption_phrases import caption_phrases
from editfoundry.editors.caption_training.object_masks import padded_boxes
from editfoundry.pretrained.detector import Detector, apart

MAX_BOXES = 8
"""Of a picture; the surest ones."""
MOST_OF_PICTURE = 0.9
"""Share of a picture from which on a box shows no thing in it but the picture itself."""
_PICTURES_PER_FILE = 1_024
_PICTURES_AT_ONCE = 16
_LONG_SIDE = 800
"""Pixels at which a detector is shown a picture; Grounding DINO's own."""


@dataclass(frozen=True)
class NamedBoxes:
    """Where to read the boxes of pictures."""

    folder: Path

    def read(self, numbers: Sequence[int]) -> Tensor:
        """Return ``(B, 8, 4)`` float of some pictures: shares of the picture's sides, rows of zeros for none."""
        rows = [np.load(self._file(n // _PICTURES_PER_FILE), mmap_mode="r")[n % _PICTURES_PER_FILE] for n in numbers]
        return padded_boxes([row.tolist() for row in rows], MAX_BOXES)

    def find(self, pictures: CaptionedPictures, detector: Detector, threshold: float) -> None:
        """Search all pictures that were not searched before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in range(-(-len(pictures) // _PICTURES_PER_FILE)):
            path = self._file(part)
            if path.is_file():
                continue
            first = part * _PICTURES_PER_FILE
            numbers = range(first, min(first + _PICTURES_PER_FILE, len(pictures)))
            rows = [_found(pictures, some, detector, threshold) for some in _blocks(numbers)]
            aside = path.with_suffix(f".{os.getpid()}.partial")
            with aside.open("wb") as file:
                np.save(file, np.concatenate(rows))
            os.replace(aside, path)

    def _file(self, part: int) -> Path:
        return self.folder / f"{part:06d}.npy"


def named_boxes(work_dir: Path, dataset_hash: str, detector_identity: Sequence[str], threshold: float) -> NamedBoxes:
    """Return the place of a data set's boxes, found by one detector, below ``work_dir``."""
    digest = input_hash(dataset_hash, list(detector_identity), threshold, MAX_BOXES)
    return NamedBoxes(work_dir / f"boxes-{digest[:16]}")


def _blocks(numbers: range) -> list[range]:
    return [numbers[start : start + _PICTURES_AT_ONCE] for start in range(0, len(numbers), _PICTURES_AT_ONCE)]


def _found(pictures: CaptionedPictures, numbers: range, detector: Detector, threshold: float) -> np.ndarray:
    """Return the boxes of some pictures, ``(B, 8, 4)`` float32 shares."""
    images = [_shown(pictures.picture(number)) for number in numbers]
    phrases = [caption_phrases(pictures.caption(number)) for number in numbers]
    rows = np.zeros((len(numbers), MAX_BOXES, 4), dtype=np.float32)
    for row, (image, finds) in enumerate(zip(images, detector.find(images, phrases, threshold), strict=True)):
        sides = np.array(image.size * 2)
        boxes = [np.array(find.box) / sides for find in apart([one for of_phrase in finds for one in of_phrase])]
        things = [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) < MOST_OF_PICTURE]
        for place, box in enumerate(things[:MAX_BOXES]):
            rows[row, place] = box
    return rows


def _shown(image: Image.Image) -> Image.Image:
    shown = image.copy()
    shown.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BILINEAR)
    return shown
