"""Before/after grid: input, every editor's edit and the true outcome side by side."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from editfoundry.data.atomic import atomic_file
from editfoundry.evaluation.evaluate import ShownCase
from editfoundry.evaluation.numbers import editor_title

MAX_REPORT_SIDE = 256
"""Pixels; larger images are shrunk for the report."""
_GAP = 12
_TEXT_WIDTH = 250


def png_bytes(pixels: np.ndarray) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB as PNG, shrunk so that no side is longer than ``MAX_REPORT_SIDE``."""
    image = Image.fromarray(pixels)
    image.thumbnail((MAX_REPORT_SIDE, MAX_REPORT_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_uri(pixels: np.ndarray) -> str:
    """Return ``(H, W, 3)`` uint8 RGB as a PNG data URI."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def grid_png(path: Path, shown: Sequence[ShownCase], tile: int = 128) -> None:
    """Draw one row for each case and write it as PNG, atomically.

    Args:
        path: of the PNG.
        shown: cases to show, at least one, all with the same editors.
        tile: side of one image in the grid, in pixels.
    """
    editors = list(shown[0].edits)
    titles = ["Input", *(editor_title(e) for e in editors), "Truth"]
    width = _GAP + _TEXT_WIDTH + len(titles) * (tile + _GAP)
    sheet = Image.new("RGB", (width, 36 + len(shown) * (tile + _GAP)), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        centre = _GAP + _TEXT_WIDTH + column * (tile + _GAP) + tile // 2
        draw.text((centre, 18), title, fill=(90, 96, 110), font=ImageFont.load_default(15), anchor="mm")
    for row, item in enumerate(shown):
        _draw_row(sheet, draw, item, editors, 36 + row * (tile + _GAP), tile)
    with atomic_file(path) as file:
        sheet.save(file, "PNG", optimize=True)


def _draw_row(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, item: ShownCase, editors: Sequence[str], top: int, tile: int
) -> None:
    draw.text((_GAP, top + 6), item.case.category, fill=(110, 116, 130), font=ImageFont.load_default(13))
    text = "\n".join(textwrap.wrap(item.case.instruction, 30)[:5])
    draw.multiline_text((_GAP, top + 28), text, fill=(24, 28, 38), font=ImageFont.load_default(16), spacing=5)
    edits = [None if (made := item.edits[e].image) is None else np.asarray(made) for e in editors]
    images = [item.case.input_image, *edits, item.case.true_output]
    marks = [None, *(item.results[e].correct for e in editors), None]
    for column, (pixels, correct) in enumerate(zip(images, marks, strict=True)):
        left = _GAP + _TEXT_WIDTH + column * (tile + _GAP)
        box = (left, top, left + tile, top + tile)
        if pixels is None:
            draw.rectangle(box, fill=(238, 240, 244))
            draw.text((left + tile // 2, top + tile // 2), "failed", fill=(160, 40, 40), anchor="mm")
        else:
            enlarge = Image.Resampling.NEAREST if pixels.shape[1] < tile else Image.Resampling.LANCZOS
            sheet.paste(Image.fromarray(pixels).resize((tile, tile), enlarge), box[:2])
        if correct is not None:
            draw.rectangle((left - 3, top - 3, left + tile + 2, top + tile + 2), outline=_mark(correct), width=3)


def _mark(correct: bool) -> tuple[int, int, int]:
    return (24, 160, 110) if correct else (214, 218, 226)
