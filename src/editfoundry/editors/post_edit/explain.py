"""Shows a post-edit step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from editfoundry.data.atomic import atomic_file
from editfoundry.editors.post_edit.post_edit import PostEdit

_TITLE_HEIGHT = 20
_CELL = 160
"""Smallest side of a picture on the sheet, pixels."""
_NUM_COLUMNS = 5


_STEPS: dict[str, Callable[[PostEdit], Image.Image]] = {
    "input": lambda made: made.original,
    "generated": lambda made: made.generated,
    "attention": lambda made: _grey(made.attention * 255),
    "instruction-mask": lambda made: _shown(made.generated, made.instruction_mask),
    "generated-mask": lambda made: _shown(made.generated, made.generated_mask),
    "original-mask": lambda made: _shown(made.original, made.original_mask),
    "edit-mask": lambda made: _shown(made.original, made.edit_mask),
    "edges": lambda made: _grey(made.edges),
    "inpainted": lambda made: made.inpainted,
    "result": lambda made: made.image,
}


def pictures_of(made: PostEdit) -> dict[str, Image.Image]:
    """Return the steps in order, each RGB of one size, by the name its file gets."""
    return {name: draw(made) for name, draw in _STEPS.items()}


def explanation_files(folder: Path) -> list[Path]:
    """Return what `write_explanation` writes: the steps in order, and the sheet."""
    steps = [folder / f"{number:02}-{name}.png" for number, name in enumerate(_STEPS, start=1)]
    return [*steps, folder / "sheet.png"]


def write_explanation(folder: Path, made: PostEdit) -> Path:
    """Write each step as ``NN-name.png`` and all of them as ``sheet.png``, which is returned."""
    pictures = pictures_of(made)
    *steps, sheet = explanation_files(folder)
    for path, picture in zip(steps, pictures.values(), strict=True):
        _save(path, picture)
    _save(sheet, draw_sheet(pictures))
    return sheet


def draw_sheet(pictures: dict[str, Image.Image]) -> Image.Image:
    """Return all pictures, which have one size, under their names."""
    width, height = next(iter(pictures.values())).size
    factor = max(1, -(-_CELL // min(width, height)))
    width, height = width * factor, height * factor
    rows = -(-len(pictures) // _NUM_COLUMNS)
    sheet = Image.new("RGB", (width * _NUM_COLUMNS, (height + _TITLE_HEIGHT) * rows), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (name, picture) in enumerate(pictures.items()):
        left, top = number % _NUM_COLUMNS * width, number // _NUM_COLUMNS * (height + _TITLE_HEIGHT)
        draw.text((left + 4, top + 2), name.replace("-", " "), "black", font)
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, top + _TITLE_HEIGHT))
    return sheet


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _shown(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """Dim what lies outside the mask."""
    pixels = np.asarray(image, dtype=np.float32)
    return Image.fromarray(np.where(mask[..., None], pixels, pixels * 0.25).astype(np.uint8))


def _save(path: Path, picture: Image.Image) -> None:
    with atomic_file(path) as file:
        picture.save(file, "PNG")
