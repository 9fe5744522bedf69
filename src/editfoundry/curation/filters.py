"""Keeps triplets whose pictures fit their captions and each other, by CLIP (InstructPix2Pix, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from editfoundry.errors import Rejection


@dataclass(frozen=True, kw_only=True)
class ClipThresholds:
    """Lowest cosine similarities; the defaults are InstructPix2Pix's, for CLIP ViT-L/14."""

    clip_input: float = 0.2
    """Input image and input caption."""
    clip_output: float = 0.2
    """Output image and output caption."""
    clip_image: float = 0.75
    """Input image and output image; the released code has 0.7."""
    clip_direction: float = 0.2
    """Change of the image and change of the caption."""


def check_clip(scores: Mapping[str, float], thresholds: ClipThresholds) -> None:
    """Raise Rejection when a score is missing or below its threshold."""
    for name, lowest in vars(thresholds).items():
        if name not in scores:
            raise Rejection("no score", name)
        if not scores[name] >= lowest:
            raise Rejection(f"low {name}", f"{scores[name]} < {lowest}")
