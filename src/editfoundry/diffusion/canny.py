"""The edges that ControlNet keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.canny_edges import canny_edges


def control_images(images: Sequence[Image.Image], low_threshold: int = 100, high_threshold: int = 200) -> Tensor:
    """Return a canny ControlNet's input: ``(B, 3, H, W)`` float32 in [0, 1], the edges in all three channels."""
    edges = np.stack([canny_edges(image, low_threshold, high_threshold) for image in images])
    return torch.from_numpy(edges).float()[:, None].expand(-1, 3, -1, -1) / 255
