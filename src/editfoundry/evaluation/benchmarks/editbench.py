"""EditBench: 240 pictures with masks, half natural, half generated, and three prompts each (Imagen Editor, section 4).

``annotations_<half>.csv`` lists the prompts; ``references_<half>/<aos>.png`` and ``masks_<half>/<aos>.png`` are the
pictures, named by attribute, object and scene.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.collecting import Collection, safe_id
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem

HALVES = ("natural", "generated")
PROMPTS = {"Mask-Simple": "prompt_mask-simple", "Mask-Rich": "prompt_mask-rich", "Full": "prompt_full"}
"""Category -> column."""
EXPECTED = 720
_HOLE = 127
"""Grey level inside the mask: the prompt's object is in the reference and must not be seen."""


def read_editbench(folder: Path) -> Benchmark:
    """Read EditBench; an editor gets the picture with the masked region grey, and the prompt as its instruction.

    Raises:
        BadInputError: no annotations, or without the official columns.
    """
    collection = Collection(folder)
    listings = [half for half in HALVES if (folder / f"annotations_{half}.csv").is_file()]
    if not listings:
        raise BadInputError(f"{folder}: no annotations_natural.csv or annotations_generated.csv; is it EditBench?")
    for half in HALVES:
        if half not in listings:
            collection.lacks(half, "entry", f"no annotations_{half}.csv")
            continue
        for row in _rows(folder / f"annotations_{half}.csv"):
            _add(collection, half, row)
    return Benchmark(
        name=EDITBENCH.name,
        title=EDITBENCH.title,
        items=tuple(collection.items),
        missing=tuple(collection.missing),
        extra=collection.extra(),
        facts={"expected": EXPECTED, "hole": f"the masked region is grey ({_HOLE})"},
        reference="truth",
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path}: not readable as CSV ({error})") from error
    for column in ("aos", *PROMPTS.values()):
        if rows and column not in rows[0]:
            raise BadInputError(f"{path}: no column {column!r}; it has {', '.join(map(str, rows[0]))}")
    return rows


def _add(collection: Collection, half: str, row: Mapping[str, str]) -> None:
    name = (row["aos"] or "").strip()
    stem = safe_id(f"{half}-{name}")
    reference = collection.picture(stem, "input", f"references_{half}/{name}.png")
    mask = collection.picture(stem, "mask", f"masks_{half}/{name}.png")
    if reference is None or mask is None:
        return
    for category, column in PROMPTS.items():
        prompt = (row[column] or "").strip()
        item = BenchmarkItem(
            id=f"{stem}-{category.lower()}",
            category=category,
            instruction=prompt,
            output_caption=prompt,
            input_image=partial(_with_hole, reference, mask),
            mask=mask,
            truth=reference,
        )
        collection.add(item)


def _with_hole(reference: Path, mask: Path) -> Image.Image:
    picture = open_image(reference)
    region = np.asarray(open_image(mask).convert("L").resize(picture.size, Image.Resampling.NEAREST)) >= 128
    pixels = np.array(picture)
    pixels[region] = _HOLE
    return Image.fromarray(pixels)


EDITBENCH = BenchmarkDefinition(
    name="editbench",
    title="EditBench",
    layout="annotations_natural.csv, references_natural/, masks_natural/, and the same of generated",
    read=read_editbench,
)
