"""Masks as people bring them: files of many kinds, or a box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from editfoundry.data.images import open_with_transparency
from editfoundry.errors import BadInputError
from editfoundry.profiles import Profile

_BLACK, _WHITE = 32, 223
"""Grey levels up to and from which a pixel counts as black and as white; what lies between is soft."""
_MAX_SOFT_SHARE = 0.5


def open_mask(path: Path, picture: Image.Image, *, is_inverted: bool = False) -> Image.Image:
    """Return a mask file as 8-bit grey of the picture's size, white where to edit.

    1-bit, palette, grey, 16-bit and colour files are read alike; what is transparent counts as black, so that strokes
    on an empty layer are a mask. Soft edges stay soft; what is nearly black or nearly white, as JPEG leaves it, becomes
    so. A mask that is white everywhere is one.

    Args:
        path: of the mask.
        picture: what it belongs to.
        is_inverted: the file is white where to keep the picture.

    Raises:
        BadInputError: it cannot be read, has another size, is white nowhere, or is rather a picture than a mask.
    """
    layer = open_with_transparency(path)
    if layer.size != picture.size:
        sizes = [f"{width}x{height}" for width, height in (layer.size, picture.size)]
        raise BadInputError(f"{path}: the mask is {sizes[0]}, but the picture is {sizes[1]}: make them one size")
    black = Image.new("RGBA", layer.size, "black")
    mask = Image.alpha_composite(black, layer.convert("RGBA")).convert("L")
    mask = ImageOps.invert(mask) if is_inverted else mask
    levels = np.asarray(mask)
    soft = float(((levels > _BLACK) & (levels < _WHITE)).mean())
    if soft > _MAX_SOFT_SHARE:
        raise BadInputError(
            f"{path}: no mask: {soft:.0%} of it is grey; make it white where to edit and black elsewhere"
        )
    if levels.max() < 128:
        raise BadInputError(f"{path}: the mask is empty: {_where_to_edit(is_inverted)}")
    return mask.point(lambda grey: 0 if grey <= _BLACK else 255 if grey >= _WHITE else grey)


def box_mask(text: str, picture: Image.Image) -> Image.Image:
    """Return the mask of a box ``x0,y0,x1,y1`` in pixels, upper ends exclusive.

    Raises:
        BadInputError: it is no box, or none within the picture.
    """
    width, height = picture.size
    try:
        x0, y0, x1, y1 = (int(part) for part in text.split(","))
    except ValueError:
        raise BadInputError(f"--box is {text!r}, but must be four whole numbers: x0,y0,x1,y1 in pixels") from None
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise BadInputError(
            f"--box {text} does not lie in {width}x{height}: 0 <= x0 < x1 <= {width}, 0 <= y0 < y1 <= {height}"
        )
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).rectangle((x0, y0, x1 - 1, y1 - 1), fill=255)
    return mask


def check_mask_roles(profile: Profile) -> None:
    """Refuse a profile that cannot make a mask of words, before anything is loaded.

    Raises:
        BadInputError: it has no detector, or no segmenter.
    """
    missing = [role for role in ("detector", "segmenter") if role not in profile.models]
    if missing:
        raise BadInputError(
            f"--what needs the role {missing[0]!r}, which profile {profile.name!r} does not name: give a mask or "
            "--box, or another --profile"
        )


def seems_inverted(mask: Image.Image) -> bool:
    """Whether a mask leaves a hole in the middle of white: most of it is white, its whole border too, and not all."""
    levels = np.asarray(mask) >= 128
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return bool(levels.mean() > 0.5 and border.all() and not levels.all())


def _where_to_edit(is_inverted: bool) -> str:
    return "with --invert, make it black where to edit" if is_inverted else "make it white where to edit"
