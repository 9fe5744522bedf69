"""Pictures of any size, edited at the size that a model was made for."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest, WordedEdit, resized

Made = TypeVar("Made", Image.Image, WordedEdit)


def native_size(pipeline: Any) -> int:
    """Return the side, in pixels, of the square pictures that a pipeline with a UNet and a VAE was made for."""
    sample_size = pipeline.unet.config.sample_size
    side = sample_size if isinstance(sample_size, int) else max(sample_size)
    return int(side * pipeline.vae_scale_factor)


def working_size(pipeline: Any, size: tuple[int, int], area_side: int | None = None) -> tuple[int, int]:
    """Return (width, height) in pixels to edit a photograph of ``size`` at.

    The long side is `native_size`; or, with ``area_side``, the area is about its square. The aspect ratio is kept as
    nearly as multiples of 8 pixels (or of the VAE's scale factor, if that is more) allow; a side is at least one such.
    """
    multiple = max(8, pipeline.vae_scale_factor)
    scale = native_size(pipeline) / max(size) if area_side is None else area_side / (size[0] * size[1]) ** 0.5
    width, height = (max(1, round(side * scale / multiple)) * multiple for side in size)
    return width, height


def editor_size(editor: Editor, size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) in pixels at which an editor that has a pipeline edits a photograph of ``size``."""
    return working_size(editor.model, size, editor.source.defaults.area_side)


def edit_at_working_size(
    pipeline: Any,
    requests: Sequence[EditRequest],
    edit: Callable[[list[EditRequest]], Sequence[Made]],
    area_side: int | None = None,
) -> list[Made]:
    """Edit requests in groups of one working size, and return each edit at its picture's own size.

    Args:
        pipeline: a pipeline with a UNet and a VAE; see `working_size` for the size.
        requests: pictures of any sizes.
        edit: is given a group's requests, their pictures resized to one size (Lanczos), their masks in whole cells of
            the latents where the picture became smaller; returns as many pictures.
        area_side: see `working_size`.
    """
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, request in enumerate(requests):
        groups[working_size(pipeline, request.image.size, area_side)].append(place)
    edited: dict[int, Made] = {}
    for size, places in groups.items():
        made = edit([requests[place].at_size(size, pipeline.vae_scale_factor) for place in places])
        for place, one in zip(places, made, strict=True):
            edited[place] = _at_size(one, requests[place].image.size)
    return [edited[place] for place in range(len(requests))]


def _at_size(made: Made, size: tuple[int, int]) -> Made:
    if isinstance(made, WordedEdit):
        return dataclasses.replace(made, image=_at_size(made.image, size))
    return resized(made.convert("RGB"), size)
