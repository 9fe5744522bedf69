"""Pictures of any size, edited at the size that a model was made for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from editfoundry.editors.families.instruct_pix2pix.sampling import working_size


def at_working_size(
    pipeline: Any,
    images: Sequence[Image.Image],
    edit: Callable[[list[int], list[Image.Image]], list[Image.Image]],
) -> list[Image.Image]:
    """Edit images in groups of one working size, and return each edit at its picture's own size.

    Args:
        pipeline: a pipeline with a UNet and a VAE; see `working_size` for the size.
        images: RGB, any sizes.
        edit: is given the places of a group's images among ``images`` and the resized images (Lanczos).
    """
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        groups[working_size(pipeline, image.size)].append(place)
    edited: dict[int, Image.Image] = {}
    for size, places in groups.items():
        resized = [_resized(images[place].convert("RGB"), size) for place in places]
        for place, made in zip(places, edit(places, resized), strict=True):
            edited[place] = _resized(made.convert("RGB"), images[place].size)
    return [edited[place] for place in range(len(images))]


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
