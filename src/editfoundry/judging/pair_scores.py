"""What makes a painted pair usable before any threshold, and CLIP's four similarities of many pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.errors import Rejection
from editfoundry.judging.clip_similarity import direction_similarity, similarity

if TYPE_CHECKING:
    from editfoundry.pretrained.clip import ClipEncoder

NOT_FINITE, BLANK = "no numbers painted", "blank picture"


def clip_scores(
    clip: ClipEncoder,
    pictures: Sequence[tuple[Image.Image, Image.Image]],
    captions: Sequence[tuple[str, str]],
) -> list[dict[str, float]]:
    """Return ``clip_input``, ``clip_output``, ``clip_image`` and ``clip_direction``, cosines in [-1, 1], of each pair.

    Args:
        clip: encodes each distinct caption once.
        pictures: RGB, before and after.
        captions: of each pair, what the pictures should show.
    """
    before, after = (clip.encode_images([pair[side] for pair in pictures]) for side in (0, 1))
    texts = {text: place for place, text in enumerate(dict.fromkeys(text for pair in captions for text in pair))}
    encoded = clip.encode_texts(list(texts))
    text_before, text_after = (encoded[[texts[pair[side]] for pair in captions]] for side in (0, 1))
    values = {
        "clip_input": similarity(before, text_before),
        "clip_output": similarity(after, text_after),
        "clip_image": similarity(before, after),
        "clip_direction": direction_similarity(before, after, text_before, text_after),
    }
    return [{name: round(float(value[row]), 6) for name, value in values.items()} for row in range(len(pictures))]


def not_finite() -> Rejection:
    """Return why a pair of no numbers is none."""
    return Rejection(NOT_FINITE, "the painter's latents are not finite; a half precision that overflows does that")


def check_pictures(before: Image.Image, after: Image.Image, is_finite: bool) -> None:
    """Raise Rejection where a painter gave no numbers, or a picture is one colour all over."""
    if not is_finite:
        raise not_finite()
    blank = [side for side, picture in (("before", before), ("after", after)) if _is_blank(picture)]
    if blank:
        raise Rejection(BLANK, f"{' and '.join(blank)}: one colour all over")


def _is_blank(picture: Image.Image) -> bool:
    return all(low == high for low, high in picture.convert("RGB").getextrema())  # type: ignore[misc]
