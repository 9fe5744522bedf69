"""Which candidates are kept: CLIP's four similarities, lowest values, and the order by direction (3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from editfoundry.curation.score_filters import check_clip
from editfoundry.errors import Rejection
from editfoundry.judging.clip_similarity import direction_similarity, similarity
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PaintedPair

NOT_FINITE, BLANK, NOT_AMONG_THE_BEST = "no numbers painted", "blank picture", "not among the best"


@dataclass(frozen=True)
class ScoredPair:
    """A candidate and what became of it."""

    painted: PaintedPair
    scores: dict[str, float]
    """``clip_input``, ``clip_output``, ``clip_image``, ``clip_direction``: cosines in [-1, 1]."""
    rejection: Rejection | None
    """Why it is not kept."""


def choose_pairs(
    clip: ClipEncoder, pairs: Sequence[CaptionPair], painted: Sequence[Sequence[PaintedPair]], config: PairConfig
) -> list[list[ScoredPair]]:
    """Return each caption pair's candidates: first the kept ones, the best first, then the others as they were painted.

    Args:
        clip: scores them, all candidates of all pairs together.
        pairs: the captions.
        painted: each one's candidates.
        config: lowest values, and how many are kept.
    """
    scores = iter(score_pairs(clip, pairs, painted))
    return [_choose([(candidate, next(scores)) for candidate in candidates], config) for candidates in painted]


def score_pairs(
    clip: ClipEncoder, pairs: Sequence[CaptionPair], painted: Sequence[Sequence[PaintedPair]]
) -> list[dict[str, float]]:
    """Return CLIP's similarities of every candidate of every caption pair, in order."""
    owners = [row for row, candidates in enumerate(painted) for _ in candidates]
    flat = [candidate for candidates in painted for candidate in candidates]
    before, after = (clip.encode_images([getattr(one, side) for one in flat]) for side in ("before", "after"))
    texts = [clip.encode_texts([getattr(pair, name) for pair in pairs]) for name in ("input_caption", "output_caption")]
    text_before, text_after = (part[owners] for part in texts)
    values = {
        "clip_input": similarity(before, text_before),
        "clip_output": similarity(after, text_after),
        "clip_image": similarity(before, after),
        "clip_direction": direction_similarity(before, after, text_before, text_after),
    }
    return [{name: round(float(value[row]), 6) for name, value in values.items()} for row in range(len(flat))]


def _choose(scored: Sequence[tuple[PaintedPair, dict[str, float]]], config: PairConfig) -> list[ScoredPair]:
    checked = [ScoredPair(painted, scores, _fault(painted, scores, config)) for painted, scores in scored]
    passed = [one for one in checked if one.rejection is None]
    # As the released code sorts: the higher seed first where directions are equal.
    passed.sort(key=lambda one: (one.scores["clip_direction"], one.painted.seed), reverse=True)
    surplus = Rejection(NOT_AMONG_THE_BEST, f"{len(passed)} passed, {config.max_kept} are kept")
    fallen = [one for one in checked if one.rejection is not None]
    return [
        *passed[: config.max_kept],
        *(ScoredPair(one.painted, one.scores, surplus) for one in passed[config.max_kept :]),
        *fallen,
    ]


def _fault(painted: PaintedPair, scores: dict[str, float], config: PairConfig) -> Rejection | None:
    if not painted.is_finite:
        return Rejection(NOT_FINITE, "the painter's latents are not finite; a half precision that overflows does that")
    blank = [side for side in ("before", "after") if _is_blank(getattr(painted, side))]
    if blank:
        return Rejection(BLANK, f"{' and '.join(blank)}: one colour all over")
    try:
        check_clip(scores, config.thresholds)
    except Rejection as rejection:
        return rejection
    return None


def _is_blank(picture: Image.Image) -> bool:
    return all(low == high for low, high in picture.convert("RGB").getextrema())  # type: ignore[misc]
