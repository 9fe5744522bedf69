"""Hugging Face ``datasets``: Parquet files with columns ``input_image edit_prompt edited_image``.

These are the columns that diffusers' ``train_instruct_pix2pix`` example reads when no other names are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.exchange.importing import OWN_KEY, Entry, import_entries, known_task, own_fields, text
from editfoundry.data.exchange.pairs import (
    MISSING_IMAGE,
    checked_instruction,
    checked_mask,
    checked_pair,
    read_image,
    resolve_inside,
)
from editfoundry.data.fields import to_json, triplet_fields, triplet_from_fields
from editfoundry.data.index import read_checked_rows, shards_of
from editfoundry.data.parquet_errors import PARQUET_ERRORS
from editfoundry.data.parquet_pieces import open_in_pieces
from editfoundry.data.png import encode_png
from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplet
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError, Rejection

SPLITS = ("train", "validation", "test")
SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> the words by which ``datasets`` knows it in the names of files and folders."""
ROWS_PER_GROUP = 32
INPUT_IMAGE = ("input_image", "original_image", "source_image", "source_img")
EDITED_IMAGE = ("edited_image", "target_image", "target_img")
EDIT_PROMPT = ("edit_prompt", "instruction", "edit")
MASK_IMAGE = ("mask", "mask_image", "mask_img")
_INPUT_CAPTION = ("input_caption", "original_prompt", "input", "caption")
_OUTPUT_CAPTION = ("output_caption", "edited_prompt", "output")
_KNOWN_COLUMNS = frozenset(
    (
        *INPUT_IMAGE,
        *EDITED_IMAGE,
        *EDIT_PROMPT,
        *MASK_IMAGE,
        *_INPUT_CAPTION,
        *_OUTPUT_CAPTION,
        "category",
        "task",
        OWN_KEY,
    )
)
ROWS_READ = 4
"""Rows that are decoded at once: each may hold pictures of many megabytes."""
_KEPT = ("keywords", "category", "task", "recipe", "source", "provenance", "scores", "split")


def export_huggingface(dataset: Path, output: Path) -> StageResult:
    """Write a folder of shards as Parquet that ``datasets.load_dataset(str(output))`` opens, images as PNG inside.

    Each shard becomes one file per split it has: ``data/<split>-<n>-of-<count>.parquet``; a triplet without a split
    goes to ``train``.

    Raises:
        BadInputError: no shard, a broken shard, or ``output`` holds something else.
    """
    tars = shards_of(dataset)
    total = 0
    with atomic_folder(output, "export huggingface") as folder:
        (folder / "data").mkdir()
        schema = _schema()
        for split in SPLITS:
            holding = [tar for tar in tars if _rows_of_split(tar, split)]
            for number, tar in enumerate(holding):
                path = folder / "data" / f"{split}-{number:05d}-of-{len(holding):05d}.parquet"
                total += _export_shard(tar, split, path, schema)
        if total == 0:
            pq.write_table(schema.empty_table(), folder / "data" / "train-00000-of-00001.parquet")
    return StageResult(num_in=total, num_out=total, num_shards=len(tars))


def import_huggingface(folder: Path, output: Path) -> StageResult:
    """Write a folder of ``datasets`` Parquet files into shards.

    Column names of the published instruction-editing sets are known: ``original_image``, ``edited_prompt``,
    ``source_img``, ``target_img``, ``mask_img`` and their like. An image is a struct of bytes and path, or bytes.

    Raises:
        BadInputError: no Parquet file, one without the three columns, or ``output`` holds something else.
    """
    folder = Path(folder)
    paths = sorted(p for p in folder.rglob("*.parquet") if not p.name.startswith("."))
    if not paths:
        raise BadInputError(f"{folder}: no Parquet file below it; give the folder that `datasets` would load")
    for path in paths:
        _check_columns(path)
    entries = (entry for path in paths for entry in _entries(folder, path))
    return import_entries(entries, folder, output, "import huggingface")


def _schema() -> pa.Schema:
    from datasets import Features, Value
    from datasets import Image as ImageFeature

    image = ImageFeature()
    columns = {"input_image": image, "edit_prompt": Value("string"), "edited_image": image, "mask": image}
    texts = ("id", "input_caption", "output_caption", "category", "task", OWN_KEY)
    return Features({**columns, **{name: Value("string") for name in texts}}).arrow_schema


def _rows_of_split(tar: Path, split: str) -> list[dict[str, Any]]:
    return [row for row in read_checked_rows(tar) if _split_of(row) == split]


def _split_of(row: Mapping[str, Any]) -> str:
    return row["split"] if row["split"] in SPLITS else "train"


def _export_shard(tar: Path, split: str, path: Path, schema: pa.Schema) -> int:
    rows = _rows_of_split(tar, split)
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for start in range(0, len(rows), ROWS_PER_GROUP):
            group = [_columns(read_triplet(tar, row)) for row in rows[start : start + ROWS_PER_GROUP]]
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return len(rows)


def _columns(triplet: Triplet) -> dict[str, Any]:
    fields = triplet_fields(triplet)
    name = fields["id"]
    images = {"input_image": triplet.input_image, "edited_image": triplet.output_image}
    return {
        "id": name,
        "edit_prompt": triplet.instruction,
        **{key: {"bytes": encode_png(image), "path": f"{name}.{key}.png"} for key, image in images.items()},
        "mask": triplet.mask and {"bytes": encode_png(triplet.mask, "L"), "path": f"{name}.mask.png"},
        "input_caption": triplet.input_caption,
        "output_caption": triplet.output_caption,
        "category": triplet.category,
        "task": triplet.task,
        OWN_KEY: to_json({key: fields[key] for key in _KEPT}),
    }


def _check_columns(path: Path) -> None:
    try:
        if not path.is_file():
            raise BadInputError(f"{path}: is no file")
        names = pq.read_schema(path).names
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: not a whole Parquet file; get it again") from error
    for known in (INPUT_IMAGE, EDIT_PROMPT, EDITED_IMAGE):
        if not set(known) & set(names):
            raise BadInputError(
                f"{path}: no column {known[0]!r} (or {', '.join(known[1:])}); it has {', '.join(names)}"
            )


def _entries(folder: Path, path: Path) -> Iterator[Entry]:
    place = path.relative_to(folder).as_posix()
    split = split_of_path(place)
    for number, row in enumerate(_rows(path), start=1):
        texts = {name: value for name, value in row.items() if isinstance(value, str)}
        yield Entry(f"{place} row {number}", texts, partial(_load, folder, row, split, f"{place} row {number}"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's rows, few of them in memory, without the columns that are not known."""
    try:
        with open_in_pieces(path) as file:
            columns = [name for name in file.schema_arrow.names if name in _KNOWN_COLUMNS]
            for batch in file.iter_batches(batch_size=ROWS_READ, columns=columns):
                batch.validate(full=True)
                yield from batch.to_pylist()
    except PARQUET_ERRORS as error:
        raise BadInputError(f"{path}: damaged Parquet file ({type(error).__name__}); get it again") from error


def split_of_path(place: str) -> str:
    """Return the split that a file's path names, as ``datasets`` would tell it; empty where it names none.

    Words count that stand apart from others by a separator, of the file's own name before those of its folders.
    """
    for part in reversed(place.lower().split("/")):
        words = re.split(r"[-._ 0-9]+", part)
        for split, names in SPLIT_WORDS.items():
            if any(word in names for word in words):
                return split
    return ""


def _load(folder: Path, row: Mapping[str, Any], split: str, place: str) -> Triplet:
    instruction = checked_instruction(text(row, *EDIT_PROMPT))
    images = [_image(folder, row, names) for names in (INPUT_IMAGE, EDITED_IMAGE)]
    if images[0] is None or images[1] is None:
        raise Rejection(MISSING_IMAGE, "no bytes in the input's or the output's column")
    input_image, output_image = checked_pair(images[0], images[1])
    mask = _image(folder, row, MASK_IMAGE)
    fields = {
        "split": split,
        "source": place,
        **own_fields(row),
        "instruction": instruction,
        "input_caption": text(row, *_INPUT_CAPTION),
        "output_caption": text(row, *_OUTPUT_CAPTION),
        "category": text(row, "category"),
        "task": known_task(row.get("task")),
    }
    return triplet_from_fields(fields, input_image, output_image, mask and checked_mask(mask, input_image.size))


def _image(folder: Path, row: Mapping[str, Any], names: tuple[str, ...]) -> Image.Image | None:
    """Return the RGB image of the first named column that the row has, or None where there is none."""
    value = next((row[name] for name in names if row.get(name) is not None), None)
    stored = value if isinstance(value, dict) else {"bytes": value}
    data, name = stored.get("bytes"), stored.get("path")
    if isinstance(data, bytes) and data:
        return read_image(data, name or names[0])
    if not isinstance(name, str) or not name:
        return None
    path = resolve_inside(folder, name)
    if not path.is_file():
        raise Rejection(MISSING_IMAGE, name)
    return read_image(path, name)
