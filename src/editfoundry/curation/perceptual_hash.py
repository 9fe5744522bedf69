"""Perceptual hashes of pictures, and how near duplicates are found among many by them."""

from __future__ import annotations

import imagehash
import numpy as np
from PIL import Image

MAX_HASH_DISTANCE = 3
"""Bits of 64 in which the perceptual hashes of near duplicates may differ."""
MAX_MEAN_DIFFERENCE = 2.0
"""Mean absolute difference, in units of 0-255, of near duplicates' thumbnails."""
_NUM_BANDS = MAX_HASH_DISTANCE + 1
_THUMBNAIL = (32, 32)


def perceptual_hash(image: Image.Image) -> int:
    """Return the 64-bit DCT hash of a picture."""
    return int(str(imagehash.phash(image)), 16)


def hash_bands(value: int) -> list[tuple[int, int]]:
    """Return four (place, 16 bits) of a hash; two hashes within ``MAX_HASH_DISTANCE`` agree in at least one."""
    width = 64 // _NUM_BANDS
    return [(band, value >> (band * width) & ((1 << width) - 1)) for band in range(_NUM_BANDS)]


def are_near(first: int, second: int) -> bool:
    """Return whether two hashes differ in no more bits than near duplicates' do."""
    return (first ^ second).bit_count() <= MAX_HASH_DISTANCE


def thumbnail(image: Image.Image) -> np.ndarray:
    """Return ``(32, 32, 3)`` float32 RGB in [0, 255]."""
    return np.asarray(image.convert("RGB").resize(_THUMBNAIL, Image.Resampling.BOX), dtype=np.float32)


def look_alike(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two thumbnails are those of near duplicates."""
    return bool(np.abs(first - second).mean() <= MAX_MEAN_DIFFERENCE)
