"""Whether two edits answer the same question: hashes of an item's pictures, texts and noise seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import BenchmarkItem
from editfoundry.evaluation.metrics.edited_batch import ItemPictures


def asked_hash(pictures: ItemPictures, seed: int) -> str:
    """Return 16 hex digits that two runs share exactly where they asked for the same edit and scored it alike.

    Args:
        pictures: input, truth and mask by their pixels; instruction, captions and task as they stand.
        seed: of the item's noise.
    """
    item = pictures.item
    return _hash([*_texts(item), seed, *_task(item)], [pictures.input_image, pictures.truth, item.open_mask()])


def item_hash(item: BenchmarkItem) -> str:
    """Return 16 hex digits that change with anything an editor is given: texts, task, input, mask and truth.

    A picture that cannot be read counts as such; nothing is raised.
    """
    return _hash([*_texts(item), item.task], map(_opened, (item.open_input, item.open_mask, item.open_truth)))


def _texts(item: BenchmarkItem) -> list[str | None]:
    return [item.instruction, item.input_caption, item.output_caption]


def _task(item: BenchmarkItem) -> list[str]:
    return [item.task] if item.task else []


def _hash(told: Sequence[object], pictures: Iterable[Image.Image | str | None]) -> str:
    digest = hashlib.sha256(json.dumps(told).encode())
    for picture in pictures:
        digest.update(picture.encode() if isinstance(picture, str) else _pixels(picture))
    return digest.hexdigest()[:16]


def _opened(open_it: Callable[[], Image.Image | None]) -> Image.Image | str | None:
    try:
        return open_it()
    except BadInputError:
        return "unreadable"


def _pixels(image: Image.Image | None) -> bytes:
    return b"none" if image is None else f"{image.mode} {image.size}".encode() + image.tobytes()
