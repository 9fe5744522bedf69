"""Pictures that a benchmark names and that are opened only when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from editfoundry.data.images import open_image

PictureSource = Path | Image.Image | Callable[[], Image.Image]
"""A file, a picture, or what gives the picture, upright 8-bit RGB."""


def open_picture(source: PictureSource, *, mask: bool = False) -> Image.Image:
    """Return the picture, upright 8-bit RGB; with ``mask`` 8-bit grey.

    Raises:
        BadInputError: the file is missing or damaged.
    """
    if isinstance(source, Path):
        picture = open_image(source)
    else:
        picture = source.convert("RGB") if isinstance(source, Image.Image) else source()
    return picture.convert("L") if mask else picture
