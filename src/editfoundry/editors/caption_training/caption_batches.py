"""Each step's captioned pictures and masks, drawn from the seed and the step's number alone.

A process draws its part of the batch as it is in the whole, so the number of processes changes neither samples nor
masks, and a resumed run goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.captioned_pictures import CaptionedPictures, open_captioned_pictures
from editfoundry.editors.caption_training.caption_config import CaptionTraining
from editfoundry.editors.caption_training.named_boxes import MAX_BOXES, NamedBoxes, named_boxes
from editfoundry.editors.caption_training.object_masks import MaskShares, mask_draws, padded_boxes
from editfoundry.editors.triplet_training.draws import EpochOrder
from editfoundry.pretrained.detector import load_detector
from editfoundry.pretrained.runtime import Runtime

READERS = 8
"""Pictures that are read and decoded beside each other."""
Square = tuple[int, int, int]
"""Left, upper edge and side, in pixels, of the part of a picture that is trained on."""


@dataclass(frozen=True)
class CaptionedSamples:
    """What was read for some samples, on the CPU."""

    pictures: Tensor
    """``(B, 3, S, S)`` float in [-1, 1]."""
    holes: Tensor
    """``(B, 1, S, S)`` bool, True where to paint."""
    captions: list[str]
    """Empty where dropped."""


@dataclass(frozen=True)
class CaptionedData:
    """Captioned pictures at a training's size, with what is known of their boxes."""

    pictures: CaptionedPictures
    config: CaptionTraining
    side: int
    """Of the squares that are trained on, in pixels: the largest one in the middle of each picture, resized."""
    found: NamedBoxes | None
    """What the detector found."""
    order: EpochOrder

    def __len__(self) -> int:
        return len(self.pictures)

    def samples(self, step: int, part: slice, generator: torch.Generator) -> CaptionedSamples:
        """Draw and read some of a step's samples; ``generator`` is the step's, and is left where any part leaves it."""
        size = self.config.batch_size
        numbers = self.order.indices(step * size, size)[part].tolist()
        dropped = (torch.rand(size, generator=generator) < self.config.caption_dropout)[part].tolist()
        masks = mask_draws(shares_of(self.config), generator, size, part)
        # Decoding and, from S3, waiting happen beside each other.
        with ThreadPoolExecutor(READERS) as readers:
            read = list(readers.map(self._sample, numbers, dropped))
        pixels, boxes, captions = zip(*read, strict=True)
        shown = padded_boxes(boxes, MAX_BOXES)
        return CaptionedSamples(torch.stack(pixels), masks.draw(shown, self.side, self.side), list(captions))

    def _sample(self, number: int, drop: bool) -> tuple[Tensor, list[list[float]], str]:
        """Read one sample: ``(3, S, S)`` pixels, boxes as shares of the square, and the caption, empty if dropped."""
        picture = self.pictures.picture(number)
        square = middle_square(picture.size)
        boxes = [_within(box, square) for box in self._boxes(number, picture.size)]
        return _pixels(picture, square, self.side), boxes, "" if drop else self.pictures.caption(number)

    def _boxes(self, number: int, size: tuple[int, int]) -> list[list[float]]:
        """Return a picture's boxes in its pixels."""
        if self.config.boxes == "stored":
            return self.pictures.boxes(number) or []
        if self.found is None:
            return []
        sides = torch.tensor(size * 2)
        return [box.tolist() for box in self.found.read([number])[0] * sides if box.any()]


def open_captioned_data(config: CaptionTraining, side: int, runtime: Runtime) -> CaptionedData:
    """Open a training's data; the detector searches what it did not search before.

    Raises:
        BadInputError: the data set or the detector cannot be used.
        MissingModelError: the profile has no detector.
    """
    pictures, found = open_captioned_pictures(config.dataset, config.work_dir), None
    if config.boxes == "detector":
        known = config.identity()
        found = named_boxes(config.work_dir, known["dataset"], known["detector"], config.detector_threshold)
        found.find(pictures, load_detector(config.models, runtime), config.detector_threshold)
    return CaptionedData(pictures, config, side, found, EpochOrder(config.seed, len(pictures)))


def shares_of(config: CaptionTraining) -> MaskShares:
    """Return how often each kind of mask is drawn; without boxes, all are random."""
    return MaskShares(
        object_box=config.object_box,
        object_and_random=config.object_and_random,
        random_box=config.random_box,
        strokes=config.strokes,
        full=config.full,
    )


def step_generator(config: CaptionTraining, step: int) -> torch.Generator:
    """Return the generator, on the CPU, of all random numbers of a step."""
    return torch.Generator().manual_seed(config.seed * 1_000_003 + step)


def middle_square(size: tuple[int, int]) -> Square:
    """Return the largest square in the middle of a picture of (width, height) ``size``."""
    side = min(size)
    return (size[0] - side) // 2, (size[1] - side) // 2, side


def _within(box: Sequence[float], square: Square) -> list[float]:
    """Return a box of a picture as shares of a square in it; one that lies outside has no area."""
    left, upper, side = square
    edges = zip(box, chain((left, upper), (left, upper)), strict=True)
    return [min(1.0, max(0.0, (edge - start) / side)) for edge, start in edges]


def _pixels(picture: Image.Image, square: Square, side: int) -> Tensor:
    left, upper, length = square
    box = (left, upper, left + length, upper + length)
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1
