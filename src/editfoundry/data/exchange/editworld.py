"""The EditWorld data set's layout, with its authors' misspelt keys.

``train.json`` lists every pair; ``<branch>/group_<n>/`` has ``sample<k>_ori.png``, ``sample<k>_tar.png`` and
``img_txt.json`` (sample -> pair). Branches are ``generated_img``, ``video_img`` and ``human_select_img``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from editfoundry.data.atomic import atomic_folder
from editfoundry.data.exchange.importing import OWN_KEY, Entry, import_entries, own_fields, text
from editfoundry.data.exchange.pairs import (
    MISSING_IMAGE,
    PATH_LEAVES_FOLDER,
    SWAPPED_PAIR,
    check_name,
    checked_instruction,
    read_mask,
    read_pair,
    resolve_inside,
)
from editfoundry.data.fields import triplet_fields, triplet_from_fields
from editfoundry.data.index import shards_of
from editfoundry.data.png import encode_png
from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError, Rejection

SAMPLES_PER_GROUP = 100
BRANCHES = ("generated_img", "video_img", "human_select_img")
INSTRUCTION = ("instuction", "instruction")
INPUT_CAPTION = ("original_caption", "input_caption")
OUTPUT_CAPTION = ("target_cation", "target_caption", "output_caption")
_KEPT = ("task", "recipe", "source", "provenance", "scores", "split")


def export_editworld(dataset: Path, output: Path) -> StageResult:
    """Write a folder of shards in EditWorld's layout; paths in its JSON files are relative to ``output``.

    Captions, keywords, category and mask go under further keys, which EditWorld's own readers pass over.

    Raises:
        BadInputError: no shard, a broken shard, or ``output`` holds something else.
    """
    counts = {branch: 0 for branch in BRANCHES}
    with atomic_folder(output, "export editworld") as folder, (folder / "train.json").open("wb") as train:
        writer = _ListWriter(train)
        groups: dict[str, dict[str, Any]] = defaultdict(dict)
        for triplet in read_triplets(dataset):
            branch = "video_img" if "video" in triplet.recipe else "generated_img"
            group, index = divmod(counts[branch], SAMPLES_PER_GROUP)
            if index == 0:
                groups[branch] = {}
            counts[branch] += 1
            entry = _write_pair(folder, f"{branch}/group_{group}/sample{index}", triplet)
            groups[branch][f"sample{index}"] = entry
            writer.add(entry)
            if index == SAMPLES_PER_GROUP - 1:
                _write_group(folder / branch / f"group_{group}", groups.pop(branch))
        for branch, samples in groups.items():
            _write_group(folder / branch / f"group_{(counts[branch] - 1) // SAMPLES_PER_GROUP}", samples)
        writer.close()
    total = sum(counts.values())
    return StageResult(num_in=total, num_out=total, num_shards=len(shards_of(dataset)))


def import_editworld(folder: Path, output: Path) -> StageResult:
    """Write EditWorld's layout into shards: the pairs of ``train.json``, or of all ``img_txt.json`` if there is none.

    ``folder`` holds the branches, or is one above them. A pair whose files are named the wrong way round, or listed
    the other way round in ``img_txt.json``, is rejected as ``swapped pair``.

    Raises:
        BadInputError: no pair, a file that is not JSON, or ``output`` holds something else.
    """
    folder = Path(folder)
    groups = {path.parent: read_json(path, dict) for path in sorted(folder.rglob("img_txt.json"))}
    if (folder / "train.json").is_file():
        listed = ((f"train.json row {n}", row) for n, row in enumerate(read_json(folder / "train.json", list), start=1))
    elif groups:
        listed = (
            (f"{group.relative_to(folder).as_posix()}/img_txt.json {name}", row)
            for group, samples in groups.items()
            for name, row in samples.items()
        )
    else:
        raise BadInputError(f"{folder}: neither train.json nor an img_txt.json below it; is it EditWorld's folder?")
    originals = {_original(group, row) for group, samples in groups.items() for row in samples.values()}
    originals.discard(None)
    entries = (Entry(place, _as_row(row), partial(_load, folder, _as_row(row), originals)) for place, row in listed)
    return import_entries(entries, folder, output, "import editworld")


class _ListWriter:
    """Writes a JSON list entry by entry, so that a large one never stands in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = b"[\n"

    def add(self, entry: Mapping[str, Any]) -> None:
        self._file.write(self._start + json.dumps(entry, indent=4).encode())
        self._start = b",\n"

    def close(self) -> None:
        self._file.write((b"[" if self._start == b"[\n" else b"\n") + b"]\n")


def _write_pair(folder: Path, stem: str, triplet: Triplet) -> dict[str, Any]:
    fields = triplet_fields(triplet)
    entry: dict[str, Any] = {
        "instuction": triplet.instruction,
        "original_img_path": f"{stem}_ori.png",
        "target_img_path": f"{stem}_tar.png",
        "original_caption": triplet.input_caption,
        "target_cation": triplet.output_caption,
        "key_words": ", ".join(triplet.keywords),
        "category": triplet.category,
        OWN_KEY: {name: fields[name] for name in _KEPT},
    }
    (folder / stem).parent.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}_ori.png").write_bytes(encode_png(triplet.input_image))
    (folder / f"{stem}_tar.png").write_bytes(encode_png(triplet.output_image))
    if triplet.mask is not None:
        entry["mask_img_path"] = f"{stem}_mask.png"
        (folder / f"{stem}_mask.png").write_bytes(encode_png(triplet.mask, "L"))
    return entry


def _write_group(group: Path, samples: Mapping[str, Any]) -> None:
    listing = json.dumps(samples, indent=4).encode()
    (group / "img_txt.json").write_bytes(listing)
    if group.parent.name == "video_img":
        # EditWorld's tools/obtain_datasetjson.py passes over video groups without this file.
        (group / "img_txt_ori.json").write_bytes(listing)


def _load(folder: Path, row: Mapping[str, Any], originals: set[Path | None]) -> Triplet:
    instruction = checked_instruction(text(row, *INSTRUCTION))
    input_path = find_image(folder, text(row, "original_img_path"))
    output_path = find_image(folder, text(row, "target_img_path"))
    names_swapped = input_path.stem.endswith("_tar") and output_path.stem.endswith("_ori")
    if names_swapped or (output_path in originals and input_path not in originals):
        raise Rejection(SWAPPED_PAIR, f"{input_path.name} given as original, {output_path.name} as target")
    input_image, output_image = read_pair(input_path, output_path)
    mask_name = text(row, "mask_img_path")
    fields = {
        **own_fields(row),
        "instruction": instruction,
        "input_caption": text(row, *INPUT_CAPTION),
        "output_caption": text(row, *OUTPUT_CAPTION),
        "keywords": _keywords(row.get("key_words")),
        "category": text(row, "category"),
    }
    if OWN_KEY not in row:
        fields["recipe"] = "editworld-video" if "video_img" in input_path.parts else "editworld-text"
        fields["source"] = text(row, "original_img_path")
    mask = read_mask(find_image(folder, mask_name), input_image.size) if mask_name else None
    return triplet_from_fields(fields, input_image, output_image, mask)


def find_image(folder: Path, name: str) -> Path:
    """Return the file that a path of EditWorld's listings means; the paths start where its scripts ran, or at a root.

    The longest tail of the path that is there is meant, so that a listing with its maker's absolute paths is read too.

    Raises:
        Rejection: no tail of it is there, or it leaves the folder.
    """
    check_name(name)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    is_absolute = bool(parts) and (parts[0] == "/" or parts[0].endswith(":"))
    if not is_absolute:
        resolve_inside(folder, name)
    elif ".." in parts:
        raise Rejection(PATH_LEAVES_FOLDER, name)
    for start in range(1 if is_absolute else 0, len(parts)):
        path = folder.joinpath(*parts[start:])
        if path.is_file() and _is_tail_of(folder, parts[:start]):
            return resolve_inside(folder, "/".join(parts[start:]))
    raise Rejection(MISSING_IMAGE, name)


def _is_tail_of(folder: Path, parts: tuple[str, ...]) -> bool:
    """Return whether ``folder`` may be where ``parts`` lead: it must be the same branch and group if they name one."""
    start = next((n for n, part in enumerate(parts) if part in BRANCHES), len(parts))
    named = parts[start:]
    return not named or folder.resolve().parts[-len(named) :] == named


def _original(group: Path, row: object) -> Path | None:
    """Return the file that a group's listing gives as the original, where it can be told."""
    name = text(_as_row(row), "original_img_path")
    return group / PurePosixPath(name.replace("\\", "/")).name if name else None


def _keywords(value: object) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word.strip() for word in words if isinstance(word, str) and word.strip())


def _as_row(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
