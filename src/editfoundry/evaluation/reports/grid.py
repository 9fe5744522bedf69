"""Before/after grid as one PNG: input, every editor's edit and the true outcome side by side.

Beside them stand the instruction and, of the first editor that says any, the words that its edit was made by.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from editfoundry.data.atomic import atomic_file
from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.before_after import editor_title
from editfoundry.evaluation.reports.inlined_pictures import picture_path
from editfoundry.evaluation.reports.run_results import Run, ScoredItem

_GAP = 12
_TEXT_WIDTH = 250
_LINE = 21
"""Height of a line of text."""
_INK, _GREY = (24, 28, 38), (110, 116, 130)


def grid_png(path: Path, run: Run, shown: Sequence[ScoredItem], tile: int = 128) -> None:
    """Draw one row for each item and write the grid as PNG, atomically.

    Args:
        path: of the PNG.
        run: its folder has the pictures.
        shown: items to show, at least one.
        tile: side of one image in the grid, in pixels.
    """
    editors = list(run.editors)
    has_truth = any(picture_path(run.folder, "truths", item.id).is_file() for item in shown)
    titles = ["Input", *(editor_title(editor) for editor in editors), *(["Truth"] if has_truth else [])]
    width = _GAP + _TEXT_WIDTH + len(titles) * (tile + _GAP)
    sheet = Image.new("RGB", (width, 36 + len(shown) * (tile + _GAP)), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        centre = _GAP + _TEXT_WIDTH + column * (tile + _GAP) + tile // 2
        draw.text((centre, 18), title, fill=(90, 96, 110), font=ImageFont.load_default(15), anchor="mm")
    for row, item in enumerate(shown):
        _draw_row(sheet, draw, run, item, 36 + row * (tile + _GAP), tile, has_truth)
    with atomic_file(path) as file:
        sheet.save(file, "PNG", optimize=True)


def _draw_row(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, run: Run, item: ScoredItem, top: int, tile: int, has_truth: bool
) -> None:
    _write(draw, [item.category], top + 6, 13, _GREY)
    edits = [run.items[editor].get(item.id) for editor in run.editors]
    lines = textwrap.wrap(item.instruction, 30)[:5]
    _write(draw, lines, top + 28, 16, _INK)
    words = next((edit.words for edit in edits if edit is not None and edit.words), "")
    below = top + 28 + _LINE * len(lines) + 6
    room = max(0, top + tile - below) // _LINE
    _write(draw, textwrap.wrap(f"“{words}”", 36)[:room] if words else [], below, 13, _GREY)
    paths = [picture_path(run.folder, "edits", item.id, editor) for editor in run.editors]
    inputs, truths = (picture_path(run.folder, kind, item.id) for kind in ("inputs", "truths"))
    marks = [None, *(edit is not None and edit.outcome == "right" for edit in edits), None]
    columns = [*zip([inputs, *paths, truths], marks, strict=True)]
    for column, (path, correct) in enumerate(columns if has_truth else columns[:-1]):
        left = _GAP + _TEXT_WIDTH + column * (tile + _GAP)
        picture = _picture(path)
        if picture is None:
            draw.rectangle((left, top, left + tile, top + tile), fill=(238, 240, 244))
            draw.text((left + tile // 2, top + tile // 2), "failed", fill=(160, 40, 40), anchor="mm")
        else:
            enlarge = Image.Resampling.NEAREST if picture.width < tile else Image.Resampling.LANCZOS
            fitted = ImageOps.contain(picture, (tile, tile), enlarge)
            sheet.paste(fitted, (left + (tile - fitted.width) // 2, top + (tile - fitted.height) // 2))
        if correct is not None:
            draw.rectangle((left - 3, top - 3, left + tile + 2, top + tile + 2), outline=_mark(correct), width=3)


def _write(draw: ImageDraw.ImageDraw, lines: Sequence[str], top: int, size: int, fill: tuple[int, int, int]) -> None:
    for number, line in enumerate(lines):
        draw.text((_GAP, top + number * _LINE), line, fill=fill, font=ImageFont.load_default(size))


def _picture(path: Path) -> Image.Image | None:
    try:
        return open_image(path)
    except BadInputError:
        return None


def _mark(correct: bool) -> tuple[int, int, int]:
    return (24, 160, 110) if correct else (214, 218, 226)
