"""The colours of a picture that brings its own ICC profile, as sRGB: what every model here was trained on."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 16 * 2**20
_SAME = 2
"""Levels, of 255, by which a profile may differ from sRGB and still be taken for it: roundings of its own tables."""
_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}
"""A profile's colour space -> Pillow's mode."""
_CONVERTIBLE = {"L": ("1", "L", "LA", "La"), "RGB": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")}
"""Mode of a profile -> modes of pictures that may be converted to it first; the others must have it already."""
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError, MemoryError)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture in mode ``RGB``, its colours turned from ``profile`` into sRGB; transparency is left out.

    Args:
        image: of 8 bits a sample.
        profile: the ICC profile that came with it. None is sRGB; one that is damaged, or is meant for another kind of
            picture, counts as none, as in browsers.
    """
    found = _transform(profile) if profile and len(profile) <= MAX_PROFILE_BYTES else None
    if found is None:
        return image.convert("RGB")
    mode, transform = found
    if image.mode != mode and image.mode not in _CONVERTIBLE.get(mode, ()):
        return image.convert("RGB")
    fitting = image if image.mode == mode else image.convert(mode)
    try:
        turned: Image.Image = transform.apply(fitting)
    except _ERRORS:
        return image.convert("RGB")
    return turned


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, Any] | None:
    """Return the mode that a profile is for, and what turns it into sRGB; None where that would change nothing."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space]
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        probe = _probe(mode)
        turned = np.asarray(transform.apply(probe), np.int16)
    except _ERRORS:
        return None
    if mode in ("L", "RGB") and np.abs(turned - np.asarray(probe.convert("RGB"), np.int16)).max() <= _SAME:
        return None
    return mode, transform


def _probe(mode: str) -> Image.Image:
    """Return a picture with colours from all over its space."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    if mode == "RGB":
        return Image.fromarray(colours)
    return Image.new(mode, (1, 1))
