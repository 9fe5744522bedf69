"""Draws the first kept pairs of each of Emu Edit's tasks as one picture; docs/emu-edit-pairs.md shows it.

python docs/emu_pairs_sheet.py data/triplets/emu-edit docs/images/emu_pairs.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplets

SIDE = 96
LINE = 20
NUM_PAIRS = 3
"""Of a task."""
_LABEL = 90
_GAP = 12
_MOST_LETTERS = 30


def main(pairs: Path, out: Path) -> None:
    """Write a row for each task: its name, how many pairs it has, and the first of them, input beside output."""
    by_task: dict[str, list[Triplet]] = {}
    for triplet in read_triplets(pairs):
        by_task.setdefault(triplet.task or "none", []).append(triplet)
    pair_width, row_height = 2 * SIDE + 2, SIDE + LINE
    sheet = Image.new("RGB", (_LABEL + NUM_PAIRS * (pair_width + _GAP), len(by_task) * row_height), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (task, triplets) in enumerate(sorted(by_task.items())):
        top = row * row_height
        draw.text((2, top + SIDE // 2), f"{task} {len(triplets)}", fill="black")
        for column, triplet in enumerate(triplets[:NUM_PAIRS]):
            left = _LABEL + column * (pair_width + _GAP)
            for place, picture in enumerate((triplet.input_image, triplet.output_image)):
                shown = picture.resize((SIDE, SIDE), Image.Resampling.NEAREST)
                sheet.paste(shown, (left + place * (SIDE + 2), top))
            draw.text((left, top + SIDE + 2), _cut(triplet.instruction), fill="black")
    sheet.quantize(192).save(out, optimize=True)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 3]}..."


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
