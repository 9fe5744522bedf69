"""Pictures of what an inpainter in training paints: picture with its hole, painting and truth, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.editors.caption_training.caption_batches import CaptionedData, CaptionedSamples, step_generator
from editfoundry.editors.triplet_training.sample_grid import to_image

Paint = Callable[[CaptionedSamples], Sequence[Image.Image]]
"""Paints some samples; RGB pictures of the samples' size."""
_SAMPLES_STEP = -1
"""Stands for a step in the seed: the grid's masks are no training step's."""


def write_painted_grid(data: CaptionedData, num_samples: int, paint: Paint, path: Path) -> None:
    """Paint the first pictures of step 0 in masks that are always the same, and write the grid as a PNG file."""
    part = slice(0, min(num_samples, data.config.batch_size))
    samples = data.samples(0, part, step_generator(data.config, _SAMPLES_STEP))
    shown = torch.where(samples.holes, torch.zeros_like(samples.pictures), samples.pictures)
    rows = zip(shown, paint(samples), samples.pictures, strict=True)
    sheet = Image.new("RGB", (3 * data.side, len(shown) * data.side))
    for row, (holed, painted, true) in enumerate(rows):
        for column, image in enumerate((to_image(holed), painted, to_image(true))):
            sheet.paste(image, (column * data.side, row * data.side))
    with atomic_file(path) as file:
        sheet.save(file, "PNG")
