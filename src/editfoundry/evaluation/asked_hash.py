"""Whether two edits answer the same question: the hash of an item's pictures, texts and noise seed."""

from __future__ import annotations

import hashlib
import json

from PIL import Image

from editfoundry.evaluation.metrics.edited_batch import ItemPictures


def asked_hash(pictures: ItemPictures, seed: int) -> str:
    """Return 16 hex digits that two runs share exactly where they asked for the same edit and scored it alike.

    Args:
        pictures: input, truth and mask by their pixels; instruction, captions and task as they stand.
        seed: of the item's noise.
    """
    item = pictures.item
    told = [item.instruction, item.input_caption, item.output_caption, seed, *([item.task] if item.task else [])]
    digest = hashlib.sha256(json.dumps(told).encode())
    for image in (pictures.input_image, pictures.truth, item.open_mask()):
        digest.update(_pixels(image))
    return digest.hexdigest()[:16]


def _pixels(image: Image.Image | None) -> bytes:
    return b"none" if image is None else f"{image.mode} {image.size}".encode() + image.tobytes()
