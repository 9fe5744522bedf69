"""A small sheet of triplets to look at: input, output, instruction."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplets

GAP = 4
TEXT_HEIGHT = 28
LINE_HEIGHT = 13


def thumbnail_sheet(folder: Path, *, num_triplets: int = 12, size: int = 96, num_columns: int = 3) -> Image.Image:
    """Draw the first triplets of a shard or a folder of shards; only those are read.

    Args:
        folder: one tar, or a folder of them.
        num_triplets: how many at most.
        size: side of each picture's square, pixels.
        num_columns: pairs beside each other.

    Returns:
        RGB image; each cell has input left, output right, category and instruction below. Without triplets, an
        empty sheet of one cell's size.
    """
    triplets = list(islice(read_triplets(folder), num_triplets))
    columns = max(1, min(num_columns, len(triplets)))
    rows = max(1, -(-len(triplets) // columns))
    cell_width, cell_height = 2 * size + 2 * GAP, size + TEXT_HEIGHT + GAP
    sheet = Image.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP), "white")
    for number, triplet in enumerate(triplets):
        left = GAP + number % columns * cell_width
        top = GAP + number // columns * cell_height
        _draw_pair(sheet, triplet, left, top, size)
    return sheet


def picture_row(pictures: Sequence[Image.Image], size: int = 96) -> Image.Image:
    """Draw pictures beside each other, each in a square of ``size`` pixels."""
    row = Image.new("RGB", (max(1, len(pictures)) * (size + GAP), size), "white")
    for number, picture in enumerate(pictures):
        row.paste(_square(picture, size), (number * (size + GAP), 0))
    return row


def png_data_uri(image: Image.Image) -> str:
    """Return the image as a ``data:image/png;base64,...`` address."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def markdown_image(image: Image.Image, description: str) -> str:
    """Return Markdown that shows the image without a file beside it."""
    return f"![{description}]({png_data_uri(image)})"


def _draw_pair(sheet: Image.Image, triplet: Triplet, left: int, top: int, size: int) -> None:
    for column, image in enumerate((triplet.input_image, triplet.output_image)):
        sheet.paste(_square(image, size), (left + column * size, top))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    lines = (triplet.category, triplet.instruction)
    for number, (text, colour) in enumerate(zip(lines, ("dimgray", "black"), strict=True)):
        place = (left, top + size + number * LINE_HEIGHT)
        draw.text(place, _fitting(text, draw, font, 2 * size), fill=colour, font=font)


def _square(image: Image.Image, size: int) -> Image.Image:
    scale = size / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    square = Image.new("RGB", (size, size), "white")
    square.paste(image.convert("RGB").resize(shape, Image.Resampling.LANCZOS), (0, 0))
    return square


def _fitting(
    text: str, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int
) -> str:
    text = " ".join(text.split())[:200]
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text + "..."
