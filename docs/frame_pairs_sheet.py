"""Draws mined frame pairs of real videos, and what was dropped, as one picture; docs/editworld-video.md tells how."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from editfoundry.data.index import read_fields, shard_paths
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplet

CELL = (240, 150)
LINE = 14
NUM_COLUMNS = 2


def main(pairs: Path, out: Path) -> None:
    """Write one cell for each pair of a folder of frame pairs, and below them a line for each clip that has none."""
    cells = [_cell(shard, row) for shard in shard_paths(pairs) for row in read_fields(shard)]
    lines = [f"{Path(r.row['video']).name}: {r.reason} {r.detail[:90]}" for r in read_rejections(pairs)]
    width, height = 2 * CELL[0] + 4, CELL[1] + LINE
    num_rows = -(-len(cells) // NUM_COLUMNS)
    sheet = Image.new("RGB", (NUM_COLUMNS * (width + 8), num_rows * (height + 6) + LINE * (len(lines) + 1)), "white")
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % NUM_COLUMNS * (width + 8), number // NUM_COLUMNS * (height + 6)))
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((2, num_rows * (height + 6) + number * LINE), line, fill="black")
    sheet.quantize(192).save(out, optimize=True)


def _cell(shard: Path, row: dict[str, object]) -> Image.Image:
    triplet = read_triplet(shard, row)
    facts = triplet.provenance
    cell = Image.new("RGB", (2 * CELL[0] + 4, CELL[1] + LINE), "white")
    for side, picture in enumerate((triplet.input_image, triplet.output_image)):
        small = picture.copy()
        small.thumbnail(CELL)
        cell.paste(small, (side * (CELL[0] + 4), LINE))
    name, change = Path(str(facts["video"])).name, triplet.scores.get("change", 0.0)
    text = f"{name}  {facts['first_time']:.2f} s, {facts['last_time']:.2f} s, change {change:.2f}"
    ImageDraw.Draw(cell).text((2, 0), text, fill="black")
    return cell


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
