"""Writes tinyworld's EditBench in the official benchmark's files, with the truth in one more."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.png import encode_png
from editfoundry.tinyworld.editbench.hole_cases import NUM_PICTURES, draw_hole
from editfoundry.tinyworld.editbench.hole_sampling import HoleItem
from editfoundry.tinyworld.scene import IMAGE_SIZE

TRUTH_FILE = "truth.jsonl"
COLUMNS = ("aos", "prompt_full", "prompt_mask-simple", "prompt_mask-rich", "attribute", "object", "scene")
"""The official ones, and one for each way in which the benchmark is divided."""


def write_editbench(
    out: Path,
    count: int = NUM_PICTURES,
    seed: int = 0,
    side: int = IMAGE_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write pictures, masks and prompts as EditBench's folder has them; equal seeds give equal files.

    All are in the half ``generated``; ``annotations_natural.csv`` has no rows. ``truth.jsonl`` has of each picture its
    scene, what stands in the hole, what each prompt asks for, and the variants with what each gets wrong.

    Args:
        out: folder to make; what an earlier call put there is replaced.
        count: pictures.
        seed: of the scenes.
        side: pixels to a side.
        progress: called with pictures done and pictures in all.

    Raises:
        BadInputError: ``out`` holds something else.
    """
    rows, truths = [], []
    with atomic_folder(out, "tinyworld editbench") as folder:
        for room in ("references_generated", "masks_generated"):
            (folder / room).mkdir()
        for number in range(count):
            drawn = draw_hole(number, seed, side)
            name = f"{drawn.item.name}.png"
            (folder / "references_generated" / name).write_bytes(encode_png(Image.fromarray(drawn.truth)))
            (folder / "masks_generated" / name).write_bytes(encode_png(Image.fromarray(drawn.mask).convert("L")))
            rows.append(_row(drawn.item))
            truths.append(json.dumps(_truth(drawn.item)))
            if progress is not None:
                progress(number + 1, count)
        _write_table(folder / "annotations_generated.csv", rows)
        _write_table(folder / "annotations_natural.csv", [])
        (folder / TRUTH_FILE).write_text("".join(f"{line}\n" for line in truths), encoding="utf-8")


def _write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(table.getvalue(), encoding="utf-8")


def _row(item: HoleItem) -> dict[str, str]:
    prompts = {kind: prompt for kind, (prompt, _) in item.prompts.items()}
    return {
        "aos": item.name,
        "prompt_full": prompts["full"],
        "prompt_mask-simple": prompts["simple"],
        "prompt_mask-rich": prompts["rich"],
        "attribute": item.attribute,
        "object": item.object,
        "scene": item.where,
    }


def _truth(item: HoleItem) -> dict[str, Any]:
    return {
        "aos": item.name,
        "scene": item.scene.to_dict(),
        "things": [asdict(thing) for thing in item.things],
        "asked": {kind: list(asked) for kind, (_, asked) in item.prompts.items()},
        "variants": [
            {"wrong": variant.wrong, "things": [asdict(thing) for thing in variant.things]} for variant in item.variants
        ],
    }
