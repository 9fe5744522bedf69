"""Canny's edges of a picture."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image


def canny_edges(image: Image.Image, low_threshold: int = 100, high_threshold: int = 200) -> np.ndarray:
    """Return OpenCV's Canny edges of an RGB image: ``(H, W)`` uint8, 255 on edges and 0 elsewhere.

    Args:
        image: RGB.
        low_threshold: gradient above which a pixel continues an edge.
        high_threshold: gradient above which a pixel starts one.
    """
    return np.asarray(cv2.Canny(np.asarray(image), low_threshold, high_threshold))
