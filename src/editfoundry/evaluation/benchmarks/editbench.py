"""EditBench: 240 pictures with masks, half natural, half generated, and three prompts each (Imagen Editor, section 4).

``annotations_<half>.csv`` lists the prompts; ``references_<half>/<aos>.png`` and ``masks_<half>/<aos>.png`` are the
pictures. ``aos`` stands for attribute, object and scene: those are read from columns of these names where the file has
them, otherwise from the words of ``aos``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from editfoundry.data.csv_table import csv_table
from editfoundry.data.images import open_image, open_with_transparency
from editfoundry.errors import BadInputError, one_line
from editfoundry.evaluation.benchmarks.collecting import Collection, safe_id
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem

HALVES = ("natural", "generated")
MASK_SIMPLE, MASK_RICH, FULL = "Mask-Simple", "Mask-Rich", "Full"
PROMPTS = {MASK_SIMPLE: "prompt_mask-simple", MASK_RICH: "prompt_mask-rich", FULL: "prompt_full"}
"""Category -> column."""
EXPECTED = 720
PARTS: dict[str, dict[str, str]] = {
    "attribute": {
        **{name: name for name in ("material", "colour", "shape", "size", "count", "position")},
        **{"color": "colour", "number": "count", "counting": "count"},
    },
    "object": {**{name: name for name in ("common", "rare", "text")}, "rendering": "text"},
    "scene": {name: name for name in ("indoor", "outdoor", "realistic", "painting")},
}
"""Way in which the benchmark is divided -> a word of ``aos``, or of a column of that name -> the part. ``position`` is
tinyworld's alone."""
UNKNOWN = "unknown"
HOLE = 127
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
        for number, row in enumerate(_rows(folder / f"annotations_{half}.csv"), start=1):
            if isinstance(row, str):
                collection.lacks(f"{half}-row-{number}", "entry", f"annotations_{half}.csv row {number}: {row}")
            else:
                _add(collection, half, row)
    return Benchmark(
        name=EDITBENCH.name,
        title=EDITBENCH.title,
        items=tuple(collection.items),
        missing=tuple(collection.missing),
        extra=collection.extra(),
        facts={
            "expected": EXPECTED,
            "hole": f"the masked region is grey ({HOLE})",
            "parts": "attribute, object and scene by columns of these names, otherwise by the words of aos",
        },
        reference="truth",
    )


def _rows(path: Path) -> list[dict[str, str] | str]:
    """Return the rows of a listing; one that cannot be read is the reason why."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, records = csv_table(file, path)
            rows = list(records)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not readable as CSV ({error})") from error
    for column in ("aos", *PROMPTS.values()):
        if rows and column not in header:
            raise BadInputError(f"{path}: no column {column!r}; it has {one_line(', '.join(header))}")
    twice = next((name for place, name in enumerate(header) if name and name in header[:place]), None)
    if twice is not None:
        raise BadInputError(f"{path}: has the column {twice!r} twice: leave one of them out")
    return [row if isinstance(row, str) else _by_name(header, row) for row in rows]


def _by_name(header: list[str], fields: list[str]) -> dict[str, str] | str:
    """Return column -> field, empty where a row ends early; or why a row cannot be read."""
    if any(fields[len(header) :]):
        return f"{len(fields)} fields, {len(header)} in the header: put quotes around what has commas"
    return dict(zip_longest(header, fields[: len(header)], fillvalue=""))


def _add(collection: Collection, half: str, row: Mapping[str, str]) -> None:
    name = row["aos"].strip()
    stem = safe_id(f"{half}-{name}")
    reference = collection.picture(stem, "input", f"references_{half}/{name}.png")
    mask = collection.picture(stem, "mask", f"masks_{half}/{name}.png")
    if reference is None or mask is None:
        return
    if _mask(reference, mask).getbbox() is None:
        collection.lacks(stem, "mask", "has no white, so that it marks nothing")
        return
    for category, column in PROMPTS.items():
        prompt = row[column].strip()
        item = BenchmarkItem(
            id=f"{stem}-{category.lower()}",
            category=category,
            instruction=prompt,
            output_caption=prompt,
            input_image=partial(_with_hole, reference, mask),
            mask=partial(_mask, reference, mask),
            truth=reference,
            group=stem,
            parts={"half": half, **parts_of(row)},
            compares="picture" if category == FULL else "mask-crop",
        )
        collection.add(item)


def parts_of(row: Mapping[str, str]) -> dict[str, str]:
    """Return ``attribute``, ``object`` and ``scene`` of a row; ``unknown`` what neither column nor ``aos`` tells."""
    found = {}
    for way, words in PARTS.items():
        named = re.findall("[a-z]+", (row.get(way) or row["aos"] or "").lower())
        found[way] = next((words[word] for word in named if word in words), UNKNOWN)
    return found


def _mask(reference: Path, mask: Path) -> Image.Image:
    """Return the mask at its picture's size, white in the hole; what is transparent is none of it."""
    layer = open_with_transparency(mask)
    flat = Image.alpha_composite(Image.new("RGBA", layer.size, "black"), layer).convert("L")
    grey = flat.resize(open_image(reference).size, Image.Resampling.NEAREST)
    return grey.point(lambda value: 255 * (value >= 128))


def _with_hole(reference: Path, mask: Path) -> Image.Image:
    picture = open_image(reference)
    pixels = np.array(picture)
    pixels[np.asarray(_mask(reference, mask)) > 0] = HOLE
    return Image.fromarray(pixels)


EDITBENCH = BenchmarkDefinition(
    name="editbench",
    title="EditBench",
    layout="annotations_natural.csv, references_natural/, masks_natural/, and the same of generated",
    read=read_editbench,
)
