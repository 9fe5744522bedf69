"""EditWorld's test set: 300 triplets of the text branch and 200 of the video branch (EditWorld, section 5).

It has the layout of the training set: ``<branch>/group_<n>/img_txt.json`` beside the pictures, with the authors'
misspelt keys, or one ``test.json`` with all entries. Branches are ``generated_img`` and ``video_img``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from editfoundry.data.exchange.editworld import INPUT_CAPTION, INSTRUCTION, OUTPUT_CAPTION, find_image
from editfoundry.data.exchange.importing import read_json, text
from editfoundry.errors import BadInputError, Rejection
from editfoundry.evaluation.benchmarks.collecting import Collection, safe_id
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem

EXPECTED = {"text": 300, "video": 200}
UNLABELLED = "unlabelled"
_LISTS = ("test.json", "train.json")


def read_editworld(folder: Path) -> Benchmark:
    """Read EditWorld's test set; the target pictures may be absent, they are not needed to ask for an edit.

    Raises:
        BadInputError: no listing, or one that is not JSON.
    """
    collection = Collection(folder)
    for place, row in _rows(folder):
        _add(collection, place, row if isinstance(row, Mapping) else {})
    found = {branch: sum(item.branch == branch for item in collection.items) for branch in EXPECTED}
    return Benchmark(
        name=EDITWORLD.name,
        title=EDITWORLD.title,
        items=tuple(collection.items),
        missing=tuple(collection.missing),
        extra=collection.extra(),
        facts={"num_text": found["text"], "num_video": found["video"], "expected": EXPECTED},
    )


def _rows(folder: Path) -> Iterator[tuple[str, Any]]:
    listing = next((folder / name for name in _LISTS if (folder / name).is_file()), None)
    if listing is not None:
        yield from ((f"{listing.stem}-{number:05d}", row) for number, row in enumerate(read_json(listing, list)))
        return
    groups = sorted(folder.rglob("img_txt.json"))
    if not groups:
        raise BadInputError(f"{folder}: neither test.json nor an img_txt.json below it; is it EditWorld's test folder?")
    for group in groups:
        parts = group.parent.relative_to(folder).parts
        yield from ((_place(*parts, sample), row) for sample, row in read_json(group, dict).items())


def _place(*parts: str) -> str:
    """Join the names of folders and sample; by ``/``, which ends in an id with a hash, where ``-`` may be ambiguous."""
    return ("/" if any("-" in part for part in parts) else "-").join(parts)


def _add(collection: Collection, place: str, row: Mapping[str, Any]) -> None:
    identifier = safe_id(place)
    source = _picture(collection, identifier, "input", text(row, "original_img_path"))
    if source is None:
        return
    target = text(row, "target_img_path")
    item = BenchmarkItem(
        id=identifier,
        category=text(row, "category") or UNLABELLED,
        instruction=text(row, *INSTRUCTION).strip(),
        input_image=source,
        input_caption=text(row, *INPUT_CAPTION) or None,
        output_caption=text(row, *OUTPUT_CAPTION) or None,
        truth=_picture(collection, identifier, "truth", target) if target else None,
        branch="video" if "video_img" in PurePosixPath(text(row, "original_img_path")).parts + source.parts else "text",
    )
    collection.add(item)


def _picture(collection: Collection, identifier: str, what: str, name: str) -> Path | None:
    """Find a picture by a path that starts where EditWorld's scripts ran."""
    try:
        path = find_image(collection.folder, name)
    except Rejection as problem:
        collection.lacks(identifier, what, str(problem))
        return None
    return collection.picture(identifier, what, path.relative_to(collection.folder).as_posix())


EDITWORLD = BenchmarkDefinition(
    name="editworld",
    title="EditWorld test set",
    layout="generated_img/ and video_img/, each group_<n>/img_txt.json with its pictures, or test.json",
    read=read_editworld,
)
