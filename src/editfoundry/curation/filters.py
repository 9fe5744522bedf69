"""Keeps triplets whose pictures fit their captions and each other, by CLIP (InstructPix2Pix, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


NEEDED_CAPTIONS = {
    "clip_input": ("input_caption",),
    "clip_output": ("output_caption",),
    "clip_image": (),
    "clip_direction": ("input_caption", "output_caption"),
}
"""Which captions a score compares the pictures with."""


def possible_clip_scores(captions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the scores that a triplet can have: those whose captions are there.

    ``captions`` holds ``input_caption`` and ``output_caption``, empty where the triplet has none.
    """
    return tuple(name for name, needed in NEEDED_CAPTIONS.items() if all(captions.get(c, "").strip() for c in needed))


def check_clip(
    scores: Mapping[str, float], thresholds: ClipThresholds, possible: Iterable[str] = tuple(NEEDED_CAPTIONS)
) -> None:
    """Raise Rejection when a score is missing or below its threshold.

    A score that is not ``possible``, for lack of a caption, may be missing: a data set without captions, such as many
    that others publish, is judged by its pictures alone.
    """
    allowed = set(possible)
    for name, lowest in vars(thresholds).items():
        if name not in scores and name not in allowed:
            continue
        if name not in scores:
            raise Rejection("no score", name)
        if not scores[name] >= lowest:
            raise Rejection(f"low {name}", f"{scores[name]} < {lowest}")
