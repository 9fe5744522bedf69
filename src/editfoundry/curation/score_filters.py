"""Keeps triplets whose pictures fit their captions and each other, by CLIP (InstructPix2Pix, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from editfoundry.data.bounds import check_between
from editfoundry.errors import Rejection
from editfoundry.judging.clip_similarity import (
    NEEDED_CAPTIONS,
    SAME_CAPTIONS,
    possible_clip_scores,
    undefined_direction,
)


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

    def __post_init__(self) -> None:
        check_between(self, -1, 1, *vars(self))


def check_clip(
    scores: Mapping[str, float], thresholds: ClipThresholds, captions: Mapping[str, str] | None = None
) -> None:
    """Raise Rejection when a score is missing, undefined or below its threshold.

    A score whose captions are absent may be missing: a data set without captions, such as many that others publish, is
    judged by its pictures alone. Between two captions that are the same there is no direction: a score that says
    otherwise is noise, and the triplet is rejected for it unless any direction is good enough.

    Args:
        scores: of one triplet.
        thresholds: the lowest allowed.
        captions: ``input_caption`` and ``output_caption``, empty where there is none; without this argument every
            score must be there.
    """
    possible = NEEDED_CAPTIONS if captions is None else possible_clip_scores(captions)
    undefined = () if captions is None else _undefined(captions)
    for name, lowest in vars(thresholds).items():
        if name in undefined:
            if lowest > -1:
                raise Rejection(f"undefined {name}", SAME_CAPTIONS)
        elif name not in scores:
            if name in possible:
                raise Rejection("no score", name)
        elif not scores[name] >= lowest:
            # With input and output exchanged, the direction's cosine changes its sign and nothing else.
            turned = name == "clip_direction" and scores[name] < 0
            hint = "; the other way round the pair fits its captions better: was it swapped?" if turned else ""
            raise Rejection(f"low {name}", f"{scores[name]} < {lowest}{hint}")


def _undefined(captions: Mapping[str, str]) -> tuple[str, ...]:
    reason = undefined_direction(captions.get("input_caption"), captions.get("output_caption"))
    return ("clip_direction",) if reason == SAME_CAPTIONS else ()
