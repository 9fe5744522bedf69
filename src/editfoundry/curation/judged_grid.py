"""A contact sheet of what curation kept and dropped, as one HTML file that needs nothing else, or as a PNG."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import jinja2
from PIL import Image, ImageDraw, ImageFont

from editfoundry.curation.shown_triplets import CurationSheet, ShownTriplet
from editfoundry.data.atomic import atomic_file
from editfoundry.data.thumbnails import png_data_uri
from editfoundry.errors import BadInputError

MAX_SIDE = 256
"""Pixels; larger pictures are shrunk for the sheet."""
_TILE = 112
_GAP = 10
_TEXT_WIDTH = 330
_NUM_COLUMNS = 2


def write_sheet(path: Path, sheet: CurationSheet, title: str) -> None:
    """Write the sheet atomically, as HTML or as PNG by the suffix of ``path``.

    Raises:
        BadInputError: another suffix.
    """
    if path.suffix not in (".html", ".png"):
        raise BadInputError(f"{path}: a contact sheet is an .html or a .png file")
    if path.suffix == ".html":
        data = render_sheet(sheet, title).encode()
        with atomic_file(path) as file:
            file.write(data)
        return
    picture = draw_sheet(sheet)
    with atomic_file(path) as file:
        picture.save(file, "PNG", optimize=True)


def render_sheet(sheet: CurationSheet, title: str) -> str:
    """Return the sheet's HTML: every text escaped, every picture inlined; equal sheets give equal text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("editfoundry.curation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("judged_grid.html.j2")
    return template.render(sheet=sheet, title=title, picture=_inlined, score_name=score_name)


def draw_sheet(sheet: CurationSheet) -> Image.Image:
    """Draw the sheet: kept above, dropped below, two triplets a row, input left of output, scores and reason beside."""
    parts = [(f"Kept {sheet.num_kept}", sheet.kept), (f"Dropped {sheet.num_dropped}", sheet.dropped)]
    cell = 2 * _TILE + _TEXT_WIDTH + 3 * _GAP
    heights = [34 + -(-len(shown) // _NUM_COLUMNS) * (_TILE + _GAP) for _, shown in parts]
    page = Image.new("RGB", (_NUM_COLUMNS * cell + _GAP, sum(heights) + _GAP), "white")
    draw = ImageDraw.Draw(page)
    top = _GAP
    for (heading, shown), height in zip(parts, heights, strict=True):
        draw.text((_GAP, top), heading, fill="black", font=ImageFont.load_default(18))
        for number, item in enumerate(shown):
            row, column = divmod(number, _NUM_COLUMNS)
            _draw_cell(page, draw, item, _GAP + column * cell, top + 30 + row * (_TILE + _GAP))
        top += height
    return page


def score_name(name: str) -> str:
    """Return a score's name as people read it."""
    return name.replace("_", " ")


def _draw_cell(page: Image.Image, draw: ImageDraw.ImageDraw, item: ShownTriplet, left: int, top: int) -> None:
    for number, image in enumerate(item.images or ()):
        page.paste(_square(image), (left + number * (_TILE + 2), top))
    lines = [*textwrap.wrap(item.instruction, 52)[:2], f"{item.verdict}  {item.detail}"[:60]]
    lines += textwrap.wrap(_scores_line(item.scores), 60)[:4]
    font = ImageFont.load_default(11)
    draw.multiline_text((left + 2 * _TILE + _GAP, top), "\n".join(lines), fill="black", font=font, spacing=3)


def _scores_line(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{score_name(name)} {value:.2f}" for name, value in sorted(scores.items()))


def _square(image: Image.Image) -> Image.Image:
    enlarge = Image.Resampling.NEAREST if max(image.size) < _TILE else Image.Resampling.LANCZOS
    scale = _TILE / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.convert("RGB").resize(shape, enlarge)


def _inlined(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    return png_data_uri(small)
