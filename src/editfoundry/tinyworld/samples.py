"""A few pictures of tinyworld to try an editor on, each with its instruction, its captions and its true outcome."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PIL import Image

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.png import encode_png
from editfoundry.tinyworld.benchmark import plain_cases, world_cases
from editfoundry.tinyworld.edit_case import EditCase

TABLE = "pairs.csv"


def write_samples(out: Path, num_world: int, num_plain: int, seed: int) -> list[dict[str, str]]:
    """Write held-out scenes into a folder that ``editfoundry import pairs-folder`` reads too.

    Of each case ``NAME.png`` is the picture to edit and ``NAME.true.png`` what it must become; ``pairs.csv`` has their
    instructions and captions. What an earlier call put there is replaced.

    Args:
        out: folder to make.
        num_world: world instructions, at least one; the rules take turns.
        num_plain: add, change and remove edits, in turns.
        seed: chooses the scenes; equal seeds give equal files.

    Returns:
        The rows of the table.

    Raises:
        BadInputError: ``out`` holds something else.
    """
    cases = world_cases("test", num_world, seed) + plain_cases(num_plain, seed)
    with atomic_folder(out, "tinyworld samples") as folder:
        rows = [_write_case(folder, number, case) for number, case in enumerate(cases, start=1)]
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (folder / TABLE).write_text(table.getvalue(), encoding="utf-8")
    return rows


def _write_case(folder: Path, number: int, case: EditCase) -> dict[str, str]:
    thing = (case.rule.partition(":")[0] or case.category).replace(" ", "_")
    name = f"{number}_{thing}"
    for suffix, pixels in ((".png", case.input_image), (".true.png", case.true_output)):
        (folder / f"{name}{suffix}").write_bytes(encode_png(Image.fromarray(pixels)))
    return {
        "input": f"{name}.png",
        "output": f"{name}.true.png",
        "instruction": case.instruction,
        "input_caption": case.input_caption,
        "output_caption": case.output_caption,
        "category": case.category,
        "split": "test",
    }
