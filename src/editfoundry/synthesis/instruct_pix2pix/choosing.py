"""Which candidates are kept: CLIP's four similarities, lowest values, and the order by direction (3.1.2).

Beside the paper's filter a vision-language model may be asked, in nats, how much better the second caption describes
the second picture than the first caption does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from editfoundry.curation.score_filters import check_clip
from editfoundry.errors import Rejection
from editfoundry.judging.caption_likelihood import caption_contrasts
from editfoundry.judging.judge_thresholds import CAPTION_PREFIX
from editfoundry.judging.pair_scores import check_pictures, clip_scores
from editfoundry.pretrained.clip import ClipEncoder
from editfoundry.pretrained.vision_language_model import VisionLanguageModel
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair
from editfoundry.synthesis.instruct_pix2pix.config import PairConfig
from editfoundry.synthesis.instruct_pix2pix.painting import PaintedPair

NOT_AMONG_THE_BEST = "not among the best"
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
    flat = [(pair, candidate) for pair, candidates in zip(pairs, painted, strict=True) for candidate in candidates]
    pictures = [(candidate.before, candidate.after) for _, candidate in flat]
    return clip_scores(clip, pictures, [(pair.input_caption, pair.output_caption) for pair, _ in flat])


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
    try:
        check_pictures(painted.before, painted.after, painted.is_finite)
        check_clip(scores, config.thresholds)
    except Rejection as rejection:
        return rejection
    return None
