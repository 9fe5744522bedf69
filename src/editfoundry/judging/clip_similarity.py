"""CLIP similarities of pictures and captions, from embeddings that are computed once, and where they are defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEEDED_CAPTIONS = {
    "clip_input": ("input_caption",),
    "clip_output": ("output_caption",),
    "clip_image": (),
    "clip_direction": ("input_caption", "output_caption"),
}
"""Score of a triplet -> the captions that it compares the pictures with."""
SAME_CAPTIONS = "the captions are the same but for case, spaces and final punctuation"
_NO_MOVE = 1e-6
"""Length below which a difference of two unit embeddings is rounding, and has no direction."""


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Return the cosines of ``(B, D)`` unit-norm CLIP embeddings, row by row: ``(B,)`` in [-1, 1].

    Of a picture and its caption this is CLIP-T; of a picture and the input picture, CLIP-I.
    """
    cosines: Tensor = (first * second).sum(-1)
    return cosines


def direction_similarity(before: Tensor, after: Tensor, text_before: Tensor, text_after: Tensor) -> Tensor:
    """Return how far pictures move as their captions do: ``cos(I1 - I0, T1 - T0)``, ``(B,)`` in [-1, 1].

    A picture that did not move at all has 0. Ask `undefined_direction` first: between equal captions there is no
    direction, and what comes out is 0 or rounding.
    """
    import torch

    picture_change = after - before
    cosines = torch.nn.functional.cosine_similarity(picture_change, text_after - text_before, dim=-1)
    return torch.where(picture_change.norm(dim=-1) < _NO_MOVE, torch.zeros_like(cosines), cosines)


def plain_text(text: str | None) -> str:
    """Return a text without what makes no difference: case, spaces, final punctuation; empty for none."""
    return " ".join((text or "").casefold().split()).rstrip(" .!?,;:")


def undefined_direction(input_caption: str | None, output_caption: str | None) -> str | None:
    """Return why two captions name no direction, in one line; None where they do."""
    before, after = plain_text(input_caption), plain_text(output_caption)
    if before and after:
        return SAME_CAPTIONS if before == after else None
    if before or after:
        return f"there is no {'output' if before else 'input'} caption"
    return "there is neither input nor output caption"


def possible_clip_scores(captions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the scores that a triplet can have: those whose captions are there, and name a direction.

    ``captions`` holds ``input_caption`` and ``output_caption``, empty where the triplet has none.
    """
    there = {name for name, text in captions.items() if isinstance(text, str) and text.strip()}
    possible = [name for name, needed in NEEDED_CAPTIONS.items() if there.issuperset(needed)]
    if undefined_direction(captions.get("input_caption"), captions.get("output_caption")) is not None:
        possible = [name for name in possible if name != "clip_direction"]
    return tuple(possible)
