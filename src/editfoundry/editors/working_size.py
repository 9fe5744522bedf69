"""Pictures of any size, edited at the size that a model was made for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from editfoundry.editors.editor import EditRequest, resized


def native_size(pipeline: Any) -> int:
    """Return the side, in pixels, of the square pictures that a pipeline with a UNet and a VAE was made for."""
    sample_size = pipeline.unet.config.sample_size
    side = sample_size if isinstance(sample_size, int) else max(sample_size)
    return int(side * pipeline.vae_scale_factor)


def working_size(pipeline: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) in pixels to edit a photograph of ``size`` at.

    The long side is `native_size`, the short side keeps the aspect ratio as nearly as multiples of 8 pixels (or of the
    VAE's scale factor, if that is more) allow, and is at least one such multiple.
    """
    multiple = max(8, pipeline.vae_scale_factor)
    scale = native_size(pipeline) / max(size)
    width, height = (max(1, round(side * scale / multiple)) * multiple for side in size)
    return width, height


def edit_at_working_size(
    pipeline: Any,
    requests: Sequence[EditRequest],
    edit: Callable[[list[EditRequest]], Sequence[Image.Image]],
) -> list[Image.Image]:
    """Edit requests in groups of one working size, and return each edit at its picture's own size.

    Args:
        pipeline: a pipeline with a UNet and a VAE; see `working_size` for the size.
        requests: pictures of any sizes.
        edit: is given a group's requests, their pictures resized to one size (Lanczos), and returns as many pictures.
    """
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, request in enumerate(requests):
        groups[working_size(pipeline, request.image.size)].append(place)
    edited: dict[int, Image.Image] = {}
    for size, places in groups.items():
        made = edit([requests[place].at_size(size) for place in places])
        for place, picture in zip(places, made, strict=True):
            edited[place] = resized(picture.convert("RGB"), requests[place].image.size)
    return [edited[place] for place in range(len(requests))]
