"""Which candidates are kept: one filter after the other, then the best of each edit (section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from editfoundry.curation.score_filters import ClipThresholds, check_clip
from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import Rejection
from editfoundry.judging.caption_likelihood import caption_contrasts
from editfoundry.judging.judge_thresholds import CAPTION_PREFIX
from editfoundry.judging.pair_scores import check_pictures, clip_scores
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.confirming import check_confirmed, confirmations
from editfoundry.synthesis.emu_edit.depth_difference import depth_differences
from editfoundry.synthesis.emu_edit.made_pair import MadePair
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.readings import READ_TASKS

NOT_AMONG_THE_BEST, DEPTH_DIFFERS = "not among the best", "depth differs"
CONTRAST, DEPTH_DIFFERENCE = f"{CAPTION_PREFIX}contrast", "depth_difference"


@dataclass(frozen=True)
class ScoredCandidate:
    """A candidate and what became of it."""

    made: MadePair
    scores: Mapping[str, float]
    """CLIP's four similarities; ``judge_caption_contrast`` in nats, ``depth_difference``, and the detector's scores
    ``found_...`` of those that came so far."""
    rejection: Rejection | None
    """Why it is not kept."""

    @property
    def is_open(self) -> bool:
        """Whether nothing speaks against it so far."""
        return self.rejection is None

    def but(self, rejection: Rejection | None, **scores: float) -> ScoredCandidate:
        """Return it with further scores, and with a reason against it."""
        return replace(self, scores={**self.scores, **scores}, rejection=rejection)


Filter = Callable[[EmuModels, Sequence[ScoredCandidate], EmuPairConfig], list[ScoredCandidate]]
"""Looks at candidates against which nothing speaks yet, all together."""


def choose_pairs(
    models: EmuModels, made: Sequence[Sequence[MadePair]], config: EmuPairConfig
) -> list[list[ScoredCandidate]]:
    """Return each edit's candidates: first the kept ones, the best first, then the others as they were made."""
    flat = [ScoredCandidate(pair, {}, pair.rejection) for candidates in made for pair in candidates]
    for check in (_clip, _contrast, _depth, _confirmed):
        passed = iter(check(models, [one for one in flat if one.is_open], config))
        flat = [next(passed) if one.is_open else one for one in flat]
    checked = iter(flat)
    return [_ranked([next(checked) for _ in candidates], config) for candidates in made]


def _clip(models: EmuModels, pairs: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    if not pairs:
        return []
    pictures = [(one.made.before, one.made.after) for one in pairs]
    captions = [(one.made.draw.edit.caption, one.made.draw.edit.output) for one in pairs]
    found = clip_scores(models.clip, pictures, captions)
    return [one.but(_clip_fault(one.made, scores, config), **scores) for one, scores in zip(pairs, found, strict=True)]


def _clip_fault(made: MadePair, scores: Mapping[str, float], config: EmuPairConfig) -> Rejection | None:
    """Return what CLIP has against a pair; of a reading, which is no picture of things, the first picture counts."""
    thresholds, edit = config.thresholds, made.draw.edit
    if edit.task in READ_TASKS:
        first = "clip_output" if edit.begins_with_output else "clip_input"
        nothing = dict.fromkeys(vars(thresholds), -1.0)
        thresholds = ClipThresholds(**{**nothing, first: getattr(thresholds, first)})
    try:
        check_pictures(made.before, made.after, made.is_finite)
        check_clip(scores, thresholds)
    except Rejection as rejection:
        return rejection
    return None


def _contrast(models: EmuModels, pairs: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    """Ask the vision-language model of both pictures which caption fits; the one that tells them apart less counts."""
    least = config.caption_contrast
    asked = [one for one in pairs if one.made.draw.edit.task not in READ_TASKS]
    if least is None or models.judge is None or not asked:
        return list(pairs)
    edits = [one.made.draw.edit for one in asked]
    inputs = {id(one.made.before): (one.made.before, e.caption, e.output) for one, e in zip(asked, edits, strict=True)}
    outputs = {id(one.made.after): (one.made.after, e.output, e.caption) for one, e in zip(asked, edits, strict=True)}
    # The picture that was painted first has many candidates, and is asked about once.
    questions = {**inputs, **outputs}
    nats = dict(zip(questions, caption_contrasts(models.judge, list(questions.values())), strict=True))
    found = {id(one): min(nats[id(one.made.before)], nats[id(one.made.after)]) for one in asked}
    return [one if id(one) not in found else _contrasted(one, round(found[id(one)], 4), least) for one in pairs]


def _contrasted(one: ScoredCandidate, nats: float, least: float) -> ScoredCandidate:
    rejection = None if nats >= least else Rejection(f"low {CONTRAST}", f"{nats} < {least}")
    return one.but(rejection, **{CONTRAST: nats})


def _depth(models: EmuModels, pairs: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    most = config.max_depth_difference
    if most is None or models.depth is None:
        return list(pairs)
    found = depth_differences(models.depth, [one.made for one in pairs])
    return [one if value is None else _compared(one, value, most) for one, value in zip(pairs, found, strict=True)]


def _compared(one: ScoredCandidate, value: float, most: float) -> ScoredCandidate:
    rejection = None if value <= most else Rejection(DEPTH_DIFFERS, f"{value} > {most}")
    return one.but(rejection, **{DEPTH_DIFFERENCE: value})


def _confirmed(models: EmuModels, pairs: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    if not config.confirms or models.detector is None:
        return list(pairs)
    found = confirmations(models.detector, [one.made for one in pairs])
    checked = []
    for one, scores in zip(pairs, found, strict=True):
        try:
            check_confirmed(one.made.draw.edit.task, scores, config.masks.detector_threshold)
            checked.append(one.but(None, **scores))
        except Rejection as rejection:
            checked.append(one.but(rejection, **scores))
    return checked


def _ranked(checked: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    """Order by the judge's contrast where it was asked, else by CLIP's direction; a background by its caption."""
    passed = sorted((one for one in checked if one.is_open), key=_worth, reverse=True)
    surplus = Rejection(NOT_AMONG_THE_BEST, f"{len(passed)} passed, {config.max_kept} are kept")
    fallen = [one for one in checked if not one.is_open]
    return [*passed[: config.max_kept], *(one.but(surplus) for one in passed[config.max_kept :]), *fallen]


def _worth(one: ScoredCandidate) -> tuple[float, int]:
    """Return what candidates are ordered by; equal ones by their seeds, the higher first."""
    by = "clip_output" if one.made.draw.edit.task is EditTask.BACKGROUND else "clip_direction"
    return one.scores.get(CONTRAST, one.scores[by]), one.made.draw.seed
