"""Where a picture may change, told before anything is edited: what is named is found, outlined, and masked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.pretrained.boxes import mask_box
from editfoundry.synthesis.emu_edit.task_settings import MaskSettings

if TYPE_CHECKING:
    from editfoundry.pretrained.detector import Detector, FoundBox
    from editfoundry.pretrained.segmenter import Segmenter

_FAINT = 0.05
"""Value of a blurred mask below which the picture stays as it is."""
_BETWEEN_THINGS = re.compile(r",| and | on | in | at | under | above | behind | beside | before | with | near ")
"""What ends the name of a thing in a caption."""


@dataclass(frozen=True)
class FoundThing:
    """A thing that was found in a picture."""

    find: FoundBox
    outline: np.ndarray
    """``(H, W)`` bool."""
    fit: float
    """IoU of the outline's box with the detector's."""


def find_things(
    detector: Detector,
    segmenter: Segmenter,
    images: Sequence[Image.Image],
    phrases: Sequence[Sequence[str]],
    settings: MaskSettings,
) -> list[list[FoundThing | None]]:
    """Find what phrases name, the surest of each; each picture goes through both models' encoders once.

    Args:
        detector: finds.
        segmenter: outlines what was found.
        images: RGB, any sizes.
        phrases: of each image; one of no phrase is not looked at.
        settings: least score and fit.

    Returns:
        For each image and phrase the thing; None where the detector finds nothing.
    """
    asked = [number for number, said in enumerate(phrases) if said]
    found = detector.find([images[n] for n in asked], [phrases[n] for n in asked], settings.detector_threshold)
    things: list[list[FoundThing | None]] = [[] for _ in images]
    for number, finds in zip(asked, found, strict=True):
        surest = [own[0] if own else None for own in finds]
        there = [find for find in surest if find is not None]
        outlines = iter(segmenter.outlines_in(images[number], [find.box for find in there]) if there else [])
        things[number] = [None if find is None else FoundThing(find, *next(outlines)) for find in surest]
    return things


def things_named(caption: str) -> list[str]:
    """Return what a caption names, in order: its words between commas, "and" and prepositions."""
    return [part.strip() for part in _BETWEEN_THINGS.split(caption) if part.strip()]


def kept_things(before: str, after: str) -> list[str]:
    """Return what both captions name: the things that a change of the background must keep."""
    named = set(things_named(after))
    return [thing for thing in things_named(before) if thing in named and thing not in ("the left", "the right")]


def region_masks(outline: np.ndarray, settings: MaskSettings) -> dict[str, np.ndarray]:
    """Return the masks of a thing by their kinds, ``(H, W)`` float32 in [0, 1]: 1 where all may change."""
    side = min(outline.shape)
    grown = cv2.dilate(outline.astype(np.uint8), _disc(settings.dilation * side))
    box = np.zeros(outline.shape, np.float32)
    if outline.any():
        x0, y0, x1, y1 = (int(corner) for corner in mask_box(outline))
        box[y0:y1, x0:x1] = 1
    dilated = np.maximum(_blurred(grown, settings.blur * side), outline)
    masks = {"precise": outline.astype(np.float32), "dilated": dilated, "box": box}
    return {kind: masks[kind] for kind in settings.kinds}


def background_mask(outlines: Sequence[np.ndarray], settings: MaskSettings) -> np.ndarray:
    """Return the mask of all but the things: a minimum filter, then a Gaussian; ``(H, W)`` float32 in [0, 1]."""
    things = np.any(np.stack(list(outlines)), axis=0)
    side = min(things.shape)
    shrunk = 1 - cv2.dilate(things.astype(np.uint8), _disc(settings.margin * side))
    return np.where(things, 0.0, _blurred(shrunk, settings.blur * side)).astype(np.float32)


def latent_masks(masks: Sequence[np.ndarray], latents: Tensor) -> Tensor:
    """Return ``(B, 1, h, w)`` masks for latents of that size: of each latent pixel the largest value within it."""
    stacked = torch.from_numpy(np.stack(list(masks))).float()[:, None]
    pooled = torch.nn.functional.adaptive_max_pool2d(stacked, latents.shape[-2:])
    return pooled.to(latents)


def mask_picture(mask: np.ndarray) -> Image.Image:
    """Return a mask as a record holds it: mode ``L``, 255 where anything may change."""
    return Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8), mode="L")


def _disc(radius: float) -> np.ndarray:
    reach = max(1, round(radius))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))


def _blurred(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return the mask blurred; where next to nothing is left of it, nothing is."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) if sigma > 0 else mask.astype(np.float32)
    return np.where(soft < _FAINT, 0.0, soft).astype(np.float32)
