"""Grids of edits while an editor trains: input, edit and target of some triplets, a row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels

Edit = Callable[[list[Image.Image], list[str]], list[Image.Image]]
"""Input images of one size and their instructions in, edits of the same size out."""


def write_sample_grid(pixels: TripletPixels, num_samples: int, edit: Edit, path: Path) -> None:
    """Edit the first triplets of a data set and write the grid as a PNG file."""
    numbers = range(min(num_samples, len(pixels)))
    pairs = [[to_image(image) for image in pixels[number]] for number in numbers]
    edits = edit([pair[0] for pair in pairs], pixels.instructions()[: len(numbers)])
    width, height = pixels.size
    sheet = Image.new("RGB", (3 * width, len(pairs) * height))
    for row, ((before, after), edited) in enumerate(zip(pairs, edits, strict=True)):
        for column, image in enumerate((before, edited, after)):
            sheet.paste(image, (column * width, row * height))
    with atomic_file(path) as file:
        sheet.save(file, "PNG")


def to_image(pixels: torch.Tensor) -> Image.Image:
    """Return ``(3, H, W)`` pixels in [-1, 1] as an RGB picture."""
    values = ((pixels + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(values.permute(1, 2, 0).numpy())
