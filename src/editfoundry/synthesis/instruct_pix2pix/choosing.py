"""Which candidates are kept: CLIP's four similarities, lowest values, and the order by direction (3.1.2).

Beside the paper's filter a vision-language model may be asked, in nats, how much better the second caption describes
the second picture than the first caption does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from editfoundry.curation.score_filters import check_clip
from editfoundry.errors import Rejection
from editfoundry.judging.caption_likelihood import caption_contrasts
from editfoundry.judging.clip_similarity import direction_similarity, similarity
from editfoundry.judging.judge_thresholds import CAPTION_PREFIX
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretrained.vision_language_model import VisionLanguageModel
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PaintedPair

NOT_FINITE, BLANK, NOT_AMONG_THE_BEST = "no numbers painted", "blank picture", "not among the best"
CONTRAST = f"{CAPTION_PREFIX}contrast"


@dataclass(frozen=True)
class ScoredPair:
    """A candidate and what became of it."""

    painted: PaintedPair
    scores: dict[str, float]
    """``clip_input``, ``clip_output``, ``clip_image``, ``clip_direction``: cosines in [-1, 1]. In nats
    ``judge_caption_contrast``, of those that passed CLIP where that model is asked."""
    rejection: Rejection | None
    """Why it is not kept."""


def choose_pairs(
    clip: ClipEncoder,
    pairs: Sequence[CaptionPair],
    painted: Sequence[Sequence[PaintedPair]],
    config: PairConfig,
    judge: VisionLanguageModel | None = None,
) -> list[list[ScoredPair]]:
    """Return each caption pair's candidates: first the kept ones, the best first, then the others as they were painted.

    Args:
        clip: scores them, all candidates of all pairs together.
        pairs: the captions.
        painted: each one's candidates.
        config: lowest values, and how many are kept.
        judge: tells captions apart, where the configuration asks for it.
    """
    scores = iter(score_pairs(clip, pairs, painted))
    checked = [[_checked(one, next(scores), config) for one in candidates] for candidates in painted]
    if judge is not None and config.caption_contrast is not None:
        checked = _contrasted(judge, pairs, checked, config.caption_contrast)
    return [_ranked(candidates, config) for candidates in checked]


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


def _contrasted(
    judge: VisionLanguageModel, pairs: Sequence[CaptionPair], checked: Sequence[Sequence[ScoredPair]], lowest: float
) -> list[list[ScoredPair]]:
    """Reject, of the candidates that passed, those whose captions the judge does not tell apart as it should."""
    asked = [
        (one.painted.after, pair.output_caption, pair.input_caption)
        for pair, candidates in zip(pairs, checked, strict=True)
        for one in candidates
        if one.rejection is None
    ]
    found = iter(caption_contrasts(judge, asked))
    return [
        [_with_contrast(one, next(found), lowest) if one.rejection is None else one for one in candidates]
        for candidates in checked
    ]


def _with_contrast(one: ScoredPair, value: float, lowest: float) -> ScoredPair:
    contrast = round(value, 4)
    rejection = None if contrast >= lowest else Rejection(f"low {CONTRAST}", f"{contrast} < {lowest}")
    return replace(one, scores={**one.scores, CONTRAST: contrast}, rejection=rejection)


def _ranked(checked: Sequence[ScoredPair], config: PairConfig) -> list[ScoredPair]:
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


def _checked(painted: PaintedPair, scores: dict[str, float], config: PairConfig) -> ScoredPair:
    return ScoredPair(painted, scores, _fault(painted, scores, config))


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
