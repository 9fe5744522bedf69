"""Where a mask has its hole, at the sizes that models see: no part of it is lost, however thin."""

from __future__ import annotations

import numpy as np
from PIL import Image

HOLE_FROM = 128
"""Grey levels of a mask from here on are painted; softer ones only let the painted picture show through."""


def hole_of(mask: Image.Image) -> np.ndarray:
    """Return ``(H, W)`` bool, True where an 8-bit grey mask is painted."""
    return np.asarray(mask.convert("L")) >= HOLE_FROM


def hole_at_size(mask: Image.Image, size: tuple[int, int], cell: int = 1) -> Image.Image:
    """Return a mask's hole, 255 in it and 0 elsewhere, at (width, height) ``size``, in pixels.

    In a smaller picture a cell is in the hole where any pixel is that it stands for; in a larger one a pixel is where
    the nearest one is.

    Args:
        mask: 8-bit grey.
        size: a multiple of ``cell``.
        cell: side, in pixels, of what a model sees of a mask as one: 1, or what a latent stands for.
    """
    hole, (width, height) = hole_of(mask), size
    is_smaller = width < mask.width or height < mask.height
    side = cell if is_smaller else 1
    resized = _resized(_resized(hole, height // side).T, width // side).T
    return _image(_enlarged(resized, side))


def with_lost_cells(hole: Image.Image, cell: int) -> Image.Image:
    """Return a hole with the cells of what a model does not see of it that looks at the upper left pixel of each cell.

    Those are thin lines and dots; a part as wide and as high as a cell stays as it is.

    Args:
        hole: 255 in it and 0 elsewhere, of a multiple of ``cell`` pixels to a side.
        cell: side of a cell, in pixels.
    """
    pixels = hole_of(hole)
    rows, columns = (length // cell for length in pixels.shape)
    touched = pixels.reshape(rows, cell, columns, cell).any((1, 3))
    seen = np.pad(pixels[::cell, ::cell], 1)
    near = [seen[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return _image(pixels | _enlarged(touched & ~np.any(near, axis=0), cell))


def _image(hole: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(hole, 255, 0).astype(np.uint8))


def _enlarged(hole: np.ndarray, times: int) -> np.ndarray:
    return hole.repeat(times, axis=0).repeat(times, axis=1)


def _resized(hole: np.ndarray, length: int) -> np.ndarray:
    """Return a hole of ``(length, W)`` made of one of ``(H, W)``."""
    old, places = len(hole), np.arange(length)
    if length >= old:
        return hole[(2 * places + 1) * old // (2 * length)]
    starts, ends = places * old // length, -(-(places + 1) * old // length)
    counts = np.concatenate([np.zeros((1, hole.shape[1]), dtype=np.int64), hole.cumsum(0)])
    return counts[ends] > counts[starts]
