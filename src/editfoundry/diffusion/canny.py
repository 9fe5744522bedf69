"""The edges that ControlNet keeps."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor


def canny_edges(image: Image.Image, low_threshold: int = 100, high_threshold: int = 200) -> np.ndarray:
    """Return OpenCV's Canny edges of an RGB image: ``(H, W)`` uint8, 255 on edges and 0 elsewhere.

    Args:
        image: RGB.
        low_threshold: gradient above which a pixel continues an edge.
        high_threshold: gradient above which a pixel starts one.
    """
    return np.asarray(cv2.Canny(np.asarray(image), low_threshold, high_threshold))


def control_images(images: Sequence[Image.Image], low_threshold: int = 100, high_threshold: int = 200) -> Tensor:
    """Return a canny ControlNet's input: ``(B, 3, H, W)`` float32 in [0, 1], the edges in all three channels."""
    edges = np.stack([canny_edges(image, low_threshold, high_threshold) for image in images])
    return torch.from_numpy(edges).float()[:, None].expand(-1, 3, -1, -1) / 255
