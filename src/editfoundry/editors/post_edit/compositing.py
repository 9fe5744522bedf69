"""Puts the repainted region back; what lies outside it keeps the input's very pixels."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image


def feathered(mask: np.ndarray, feather: float) -> np.ndarray:
    """Return ``(H, W)`` float32 weights in [0, 1]: 0 outside ``mask``, and up to 1 over a soft edge inside it.

    Args:
        mask: ``(H, W)`` bool.
        feather: width of the edge as a share of the shorter side; 0 for a hard one. The picture's border is no edge.
    """
    width = min(mask.shape) * feather
    if width < 1 or mask.all():
        return mask.astype(np.float32)
    distances = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(distances / (width + 1), 0, 1).astype(np.float32)


def composite(original: Image.Image, repainted: Image.Image, mask: np.ndarray, feather: float) -> Image.Image:
    """Return ``original`` with ``repainted`` inside ``mask``.

    Args:
        original: RGB, ``H x W``; outside the mask the result has exactly its pixels.
        repainted: RGB of the same size.
        mask: ``(H, W)`` bool.
        feather: see `feathered`.
    """
    weights = feathered(mask, feather)[..., None]
    before, after = (np.asarray(image.convert("RGB"), dtype=np.float32) for image in (original, repainted))
    mixed = np.rint(before * (1 - weights) + after * weights).astype(np.uint8)
    return Image.fromarray(np.where(mask[..., None], mixed, np.asarray(original.convert("RGB"))))
