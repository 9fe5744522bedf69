"""The InstructPix2Pix data set's layout.

``seeds.json`` is ``[[folder, [seed, ...]], ...]``, sorted; each folder has ``prompt.json``, ``metadata.jsonl``, and
for every seed ``<seed>_0.jpg`` (before) and ``<seed>_1.jpg`` (after). A folder is called after its caption pair's
number; one of which no pair survived has its ``prompt.json`` alone and is not listed. Nothing in it tells a pair that
its maker swapped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.exchange.importing import OWN_KEY, Entry, import_entries, own_fields, text
from editfoundry.data.exchange.pairs import (
    NO_INSTRUCTION,
    checked_instruction,
    read_mask,
    read_pair,
    resolve_inside,
)
from editfoundry.data.fields import triplet_fields, triplet_from_fields
from editfoundry.data.index import read_fields, shards_of
from editfoundry.data.png import encode_png
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import read_rejections
from editfoundry.data.shards import read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.data.untrusted import parse_json, read_json
from editfoundry.errors import BadInputError, Rejection

SCORES = {
    "clip_input": "clip_sim_0",
    "clip_output": "clip_sim_1",
    "clip_direction": "clip_sim_dir",
    "clip_image": "clip_sim_image",
}
"""Our name of a score -> the name in ``metadata.jsonl``."""
_SAMPLING = ("p2p_threshold", "cfg_scale")
_KEPT = ("keywords", "category", "task", "recipe", "source", "provenance", "scores", "split")
_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 100, "subsampling": 0}

_TEXTS = {"input_caption", "instruction", "output_caption"}
_TRAIN, _VALIDATION = 0.9, 0.95
"""Shares of the listed folders at which the release's splits end."""

_Prompt = tuple[str, str, str]
"""Input caption, instruction, output caption."""
_Folders = dict[_Prompt, tuple[str, list[str]]]


def export_instruct_pix2pix(dataset: Path, output: Path) -> StageResult:
    """Write a folder of shards in InstructPix2Pix's layout, images as JPEG of quality 100, which is not lossless.

    ``prompt.json`` has the input caption under both of the names its scripts use, ``input`` and ``caption``. Folders
    and pictures are called after the numbers and seeds that the recipe ``instruct-pix2pix`` records; of other triplets
    folders are numbered as they come.

    Raises:
        BadInputError: no shard, a broken shard, or ``output`` holds something else.
    """
    folders: _Folders = {}
    total, numbers = 0, _numbers(dataset)
    with atomic_folder(output, "export instruct-pix2pix") as folder:
        for triplet in read_triplets(dataset):
            _write_pair(folder, folders, triplet, numbers)
            total += 1
        for prompt, number in numbers.items():
            if prompt not in folders:
                _write_prompt(folder / _folder_name(number), prompt)
        listed = sorted([name, sorted(seeds)] for name, seeds in folders.values())
        (folder / "seeds.json").write_text(json.dumps(listed))
    return StageResult(num_in=total, num_out=total, num_shards=len(shards_of(dataset)))


def import_instruct_pix2pix(folder: Path, output: Path) -> StageResult:
    """Write the pairs that ``seeds.json`` lists into shards; the input caption may be called ``input`` or ``caption``.

    Where a pair says nothing of its split it gets that of the release: of the listed folders, the first 90 % train, the
    next 5 % are for validation, the others for the test.

    Raises:
        BadInputError: no or broken ``seeds.json``, no pair, or ``output`` holds something else.
    """
    folder = Path(folder)
    seeds_path = folder / "seeds.json"
    if not seeds_path.is_file():
        raise BadInputError(f"{seeds_path}: missing; InstructPix2Pix's prepare_dataset.py writes it")
    return import_entries(_entries(folder, seeds_path), folder, output, "import instruct-pix2pix")


def _numbers(dataset: Path) -> dict[_Prompt, int]:
    """Return each caption pair's number, also where nothing was kept of it; none at all where one lacks its own."""
    kept = ((row, row["provenance"]) for row in read_fields(dataset))
    dropped = ((row.row, row.row) for row in read_rejections(dataset) if _TEXTS <= set(row.row))
    found: dict[_Prompt, int] = {}
    for texts, numbered in chain(kept, dropped):
        number = numbered.get("number")
        prompt = (texts["input_caption"], texts["instruction"], texts["output_caption"])
        if not isinstance(number, int) or found.setdefault(prompt, number) != number:
            return {}
    return found if len(set(found.values())) == len(found) else {}


def _folder_name(number: int) -> str:
    return f"{number:07d}"


def _write_prompt(place: Path, prompt: _Prompt) -> None:
    place.mkdir()
    named = dict(zip(("input", "edit", "output"), prompt, strict=True))
    (place / "prompt.json").write_text(json.dumps({**named, "caption": prompt[0]}))


def _write_pair(folder: Path, folders: _Folders, triplet: Triplet, numbers: Mapping[_Prompt, int]) -> None:
    prompt = (triplet.input_caption, triplet.instruction, triplet.output_caption)
    is_new = prompt not in folders
    name, seeds = folders.setdefault(prompt, (_folder_name(numbers.get(prompt, len(folders))), []))
    place = folder / name
    if is_new:
        _write_prompt(place, prompt)
    fields, drawn = triplet_fields(triplet), triplet.provenance.get("candidate_seed")
    seed = _free_seed(drawn if isinstance(drawn, int) else int(fields["id"][:8], 16), seeds)
    seeds.append(seed)
    triplet.input_image.convert("RGB").save(place / f"{seed}_0.jpg", **_JPEG)
    triplet.output_image.convert("RGB").save(place / f"{seed}_1.jpg", **_JPEG)
    if triplet.mask is not None:
        (place / f"{seed}_mask.png").write_bytes(encode_png(triplet.mask, "L"))
    line = {"seed": int(seed), **{key: triplet.provenance[key] for key in _SAMPLING if key in triplet.provenance}}
    line |= {theirs: triplet.scores[ours] for ours, theirs in SCORES.items() if ours in triplet.scores}
    line[OWN_KEY] = {name: fields[name] for name in _KEPT}
    with (place / "metadata.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _free_seed(seed: int, taken: list[str]) -> str:
    while str(seed) in taken:
        seed = (seed + 1) % 2**32
    return str(seed)


def _entries(folder: Path, seeds_path: Path) -> Iterator[Entry]:
    listed = read_json(seeds_path, list)
    for number, item in enumerate(listed, start=1):
        if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], list)):
            raise BadInputError(f"{seeds_path}: row {number} is not [folder name, [seeds]]")
        name, seeds = item
        split = _split(number - 1, len(listed))
        for seed in seeds:
            place = f"{name}/{seed}"
            yield Entry(place, {"folder": name, "seed": str(seed)}, partial(_load, folder, name, str(seed), split))


def _split(place: int, count: int) -> str:
    """Return the split of a folder by its place among all that are listed, as the release's loader cuts them."""
    if place < math.floor(_TRAIN * count):
        return "train"
    return "validation" if place < math.floor(_VALIDATION * count) else "test"


def _load(folder: Path, name: str, seed: str, split: str) -> Triplet:
    place = resolve_inside(folder, name)
    before, after = (resolve_inside(folder, f"{name}/{seed}_{side}.jpg") for side in (0, 1))
    prompt = _prompt(resolve_inside(folder, f"{name}/prompt.json"))
    instruction = checked_instruction(prompt.get("edit"))
    input_image, output_image = read_pair(before, after)
    metadata = _metadata(resolve_inside(folder, f"{name}/metadata.jsonl"), seed)
    fields = {
        "recipe": "instruct-pix2pix",
        "source": f"{name}/{seed}",
        "split": split,
        "scores": _scores(metadata),
        "provenance": {key: metadata[key] for key in ("seed", *_SAMPLING) if key in metadata},
        **own_fields(metadata),
        "instruction": instruction,
        "input_caption": text(prompt, "input", "caption"),
        "output_caption": text(prompt, "output"),
    }
    return triplet_from_fields(fields, input_image, output_image, _mask(place / f"{seed}_mask.png", input_image))


def _prompt(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path, dict))
    except BadInputError as error:
        raise Rejection(NO_INSTRUCTION, str(error)) from error


def _metadata(path: Path, seed: str) -> dict[str, Any]:
    """Return the seed's line; the file is no part of what InstructPix2Pix's loader needs, so it may be absent."""
    if not path.is_file():
        return {}
    for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        try:
            row = parse_json(line)
        except ValueError:
            continue
        if isinstance(row, dict) and str(row.get("seed")) == seed:
            return row
    return {}


def _scores(metadata: Mapping[str, Any]) -> dict[str, float]:
    found = {ours: metadata.get(theirs) for ours, theirs in SCORES.items()}
    return {name: float(score) for name, score in found.items() if isinstance(score, (int, float))}


def _mask(path: Path, input_image: Image.Image) -> Image.Image | None:
    return read_mask(path, input_image.size) if path.is_file() else None
