"""Where a picture changes: the instruction's attention, and the things that SAM sees there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.diffusion.attention import cross_attention_sizes
from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import tokenize

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTokenizer

    from editfoundry.pretrained.segmenter import Segmenter

PAPER_RESOLUTION = 16
"""Side of the attention maps that EditWorld collects, latent pixels."""


def instruction_token_weights(tokenizer: CLIPTokenizer, instructions: Sequence[str], tokens: str = "words") -> Tensor:
    """Return ``(B, 1, L)`` float: the mean over each instruction's ``words`` or over ``all`` tokens but the start."""
    ids = tokenize(tokenizer, instructions)
    if tokens == "all":
        after_start = (torch.arange(ids.shape[1]) > 0).float().expand(ids.shape)
        return (after_start / (ids.shape[1] - 1))[:, None]
    ends = (ids == tokenizer.eos_token_id).long().argmax(dim=1)
    # An instruction that fills the whole length has its end cut off or at the last place.
    ends = torch.where((ids == tokenizer.eos_token_id).any(dim=1), ends, ids.shape[1])
    places = torch.arange(ids.shape[1])[None]
    own = ((places > 0) & (places < ends[:, None])).float()
    return (own / own.sum(1, keepdim=True).clamp(min=1))[:, None]


def map_resolution(unet: UNet2DConditionModel, size: tuple[int, int]) -> int:
    """Return the sharpest attention map of at most 16 latent pixels, or else the least sharp; ``size`` is (h, w)."""
    sides = sorted(min(map_size) for map_size in cross_attention_sizes(unet, size).values())
    fitting = [side for side in sides if side <= PAPER_RESOLUTION]
    return fitting[-1] if fitting else sides[0]


def best_overlap_mask(
    segmenter: Segmenter, image: Image.Image, region: np.ndarray, num_points: int, min_overlap: float
) -> np.ndarray:
    """Return the mask of ``image`` that overlaps ``region`` most, by IoU (EditWorld, post-edit, step b).

    Args:
        segmenter: SAM.
        image: RGB, ``H x W``.
        region: ``(H, W)`` bool.
        num_points: points of the region at which SAM is asked, at most.
        min_overlap: least IoU; where no mask has it, ``region`` itself is returned.

    Returns:
        ``(H, W)`` bool.
    """
    masks, _ = segmenter.masks_at(image, region_points(region, num_points))
    candidates = masks.reshape(-1, *region.shape)
    if not len(candidates):
        return region
    overlaps = [overlap(candidate, region) for candidate in candidates]
    best = int(np.argmax(overlaps))
    found: np.ndarray = candidates[best] if overlaps[best] >= min_overlap else region
    return found


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the IoU of two bool masks; 0 where both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def region_points(region: np.ndarray, num_points: int) -> list[tuple[float, float]]:
    """Return at most ``num_points`` points ``(x, y)`` of a ``(H, W)`` bool region, evenly spread over it."""
    ys, xs = np.nonzero(region)
    if not len(ys):
        return []
    stride = max(1, int(np.sqrt(len(ys) / num_points)))
    on_grid = (ys % stride == stride // 2) & (xs % stride == stride // 2)
    ys, xs = (ys[on_grid], xs[on_grid]) if on_grid.any() else (ys, xs)
    chosen = np.linspace(0, len(ys) - 1, min(num_points, len(ys))).round().astype(int)
    return [(float(xs[i]), float(ys[i])) for i in np.unique(chosen)]


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a bool mask at (width, height) ``size``, its outline interpolated."""
    values = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(values >= 0.5)


def dilated(mask: np.ndarray, share: float) -> np.ndarray:
    """Let a ``(H, W)`` bool mask grow by ``share`` of its shorter side."""
    radius = round(min(mask.shape) * share)
    if radius < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc)).astype(bool)
