"""CLIP score: how well the edited image fits the caption of the true outcome (EditWorld, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch


class ClipEncoder(Protocol):
    """What the evaluation needs of a CLIP model."""

    @property
    def name(self) -> str:
        """Model and revision, as provenance records it."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Return ``(N, D)`` float32 on the CPU, each row of norm 1."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return ``(N, D)`` float32 on the CPU, each row of norm 1."""
        ...


def caption_embeddings(clip: ClipEncoder, captions: Sequence[str]) -> np.ndarray:
    """Return the captions' embeddings, ``(N, D)`` float64 of norm 1."""
    return np.asarray(clip.encode_texts(captions), dtype=np.float64)


def clip_scores(clip: ClipEncoder, images: Sequence[np.ndarray], captions: np.ndarray) -> list[float]:
    """Return the cosine of each image and its caption, in [-1, 1].

    Args:
        clip: the model.
        images: N arrays ``(H, W, 3)`` uint8 RGB.
        captions: ``(N, D)``, the embeddings of each image's caption.

    Raises:
        ValueError: the model gives values that are not finite.
    """
    if not images:
        return []
    embedded = np.asarray(clip.encode_images([Image.fromarray(i) for i in images]), dtype=np.float64)
    scores = (embedded * captions).sum(axis=1)
    if not np.isfinite(scores).all():
        raise ValueError(f"{clip.name} gives scores that are not finite: run it in float32")
    return [float(s) for s in scores]
