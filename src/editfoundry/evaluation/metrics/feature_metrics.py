"""How far an edit is from its reference to a network that knows no words: LPIPS and DINO similarity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.evaluation.metrics.pixel_metrics import resized

if TYPE_CHECKING:
    from editfoundry.pretrained.dino import DinoEncoder
    from editfoundry.pretrained.lpips import Lpips


def embed_by_dino(dino: DinoEncoder, images: Sequence[Image.Image | None]) -> np.ndarray:
    """Return the class tokens' embeddings, ``(N, D)`` float64 of unit norm; NaN where there is no picture."""
    known = [n for n, image in enumerate(images) if image is not None]
    if not known:
        return np.full((len(images), 1), np.nan)
    found = np.asarray(dino.encode_images([image for image in images if image is not None]), dtype=np.float64)
    embeds = np.full((len(images), found.shape[1]), np.nan)
    embeds[known] = found
    return embeds


def dino_similarities(dino: DinoEncoder, edited: Sequence[Image.Image], references: np.ndarray) -> list[float | None]:
    """Return the cosine of the class tokens of each edit and its reference; None where there is no reference.

    Args:
        dino: the model.
        edited: N edits, RGB.
        references: ``(N, D)``, from `embed_by_dino`.
    """
    cosines = (embed_by_dino(dino, edited) * references).sum(axis=1)
    return [None if np.isnan(cosine) else float(cosine) for cosine in cosines]


def lpips_distances(
    lpips: Lpips, edited: Sequence[Image.Image], references: Sequence[Image.Image | None]
) -> list[float | None]:
    """Return the LPIPS distance (Zhang et al., 2018) of each edit and its reference, at the reference's size."""
    by_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for number, reference in enumerate(references):
        if reference is not None:
            by_size[reference.size].append(number)
    scores: list[float | None] = [None] * len(edited)
    for size, numbers in by_size.items():
        targets = [reference for n in numbers if (reference := references[n]) is not None]
        found = lpips.distances(_pixels([edited[n] for n in numbers], size), _pixels(targets, size))
        for n, value in zip(numbers, found.tolist(), strict=True):
            scores[n] = value
    return scores


def _pixels(images: Sequence[Image.Image], size: tuple[int, int]) -> Tensor:
    """Return pictures as ``(B, 3, H, W)`` float32 in [0, 1], RGB."""
    arrays = np.stack([np.asarray(resized(image, size)) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255
