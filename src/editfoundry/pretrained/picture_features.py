"""Features of pictures, as a LLaVA's language model reads them, each picture through the vision tower once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.fitness import KNOWN_TYPES
from editfoundry.pretrained.placement import device_of

ImageRow = Sequence[Image.Image]
"""The pictures that one prompt is about, in order."""
SUPPORTED_TYPES = KNOWN_TYPES["vision_language_model"]
"""Model types whose picture features can be computed apart from the text."""
_GROUPED_TYPES = ("llava_onevision",)
"""Model types whose features of a picture depend on whether it comes alone."""


def picture_features(model: Any, processor: Any, rows: Sequence[ImageRow]) -> list[list[Tensor]]:
    """Return each row's picture features, ``(L, D)`` each; pictures that rows share, as objects, are computed once."""
    grouped = model.config.model_type in _GROUPED_TYPES
    units = [[tuple(row)] if grouped and row else [(image,) for image in row] for row in rows]
    distinct = {_key(unit): unit for row in units for unit in row}
    features = _encode(model, processor, list(distinct.values()), grouped) if distinct else []
    encoded = dict(zip(distinct, features, strict=True))
    return [[feature for unit in row for feature in encoded[_key(unit)]] for row in units]


def combined(rows: Sequence[ImageRow]) -> list[ImageRow]:
    """Make one picture of each row's, if it has any; rows of the same objects get the same picture."""
    made: dict[tuple[int, ...], ImageRow] = {}
    for row in rows:
        if _key(row) not in made:
            made[_key(row)] = tuple(row) if len(row) < 2 else (side_by_side(row),)
    return [made[_key(row)] for row in rows]


def side_by_side(images: ImageRow) -> Image.Image:
    """Put pictures beside each other, first one left, on a grey square, so that no processor crops any of them."""
    width, height = sum(image.width for image in images), max(image.height for image in images)
    side = max(width, height)
    sheet = Image.new("RGB", (side, side), (127, 127, 127))
    left = (side - width) // 2
    for image in images:
        sheet.paste(image.convert("RGB"), (left, (side - image.height) // 2))
        left += image.width
    return sheet


def _encode(model: Any, processor: Any, units: Sequence[ImageRow], grouped: bool) -> list[list[Tensor]]:
    pictures: Any = [list(unit) for unit in units] if grouped else [image for unit in units for image in unit]
    values = dict(processor.image_processor(images=pictures, return_tensors="pt"))
    pixels: Tensor = values.pop("pixel_values").to(device_of(model), model.dtype)
    others = {name: value.to(device_of(model)) if torch.is_tensor(value) else value for name, value in values.items()}
    features = iter(model.get_image_features(pixel_values=pixels, **others).pooler_output)
    return [[next(features) for _ in unit] for unit in units]


def _key(images: ImageRow) -> tuple[int, ...]:
    return tuple(id(image) for image in images)
