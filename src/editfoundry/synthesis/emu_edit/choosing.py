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
from editfoundry.synthesis.emu_edit.confirming import AFTER, BEFORE, check_confirmed, confirmations
from editfoundry.synthesis.emu_edit.depth_difference import depth_differences
from editfoundry.synthesis.emu_edit.made_pair import MadePair
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.readings import READ_TASKS

NOT_AMONG_THE_BEST, DEPTH_DIFFERS = "not among the best", "depth differs"
CONTRAST, DEPTH_DIFFERENCE = f"{CAPTION_PREFIX}contrast", "depth_difference"

Scores = Mapping[str, float]
"""CLIP's four similarities; ``judge_caption_contrast`` in nats, ``depth_difference``, and the detector's scores
``found_...``, of those that were measured."""


@dataclass(frozen=True)
class ScoredCandidate:
    """A candidate and what became of it."""

    made: MadePair
    scores: Scores
    """Those that came so far."""
    rejection: Rejection | None
    """Why it is not kept."""

    @property
    def is_open(self) -> bool:
        """Whether nothing speaks against it so far."""
        return self.rejection is None

    @property
    def worth(self) -> float:
        """What candidates are ordered by: the judge's contrast where it was asked, else CLIP's direction.

        Of a background its caption's similarity.
        """
        by = "clip_output" if self.made.draw.edit.task is EditTask.BACKGROUND else "clip_direction"
        return self.scores.get(CONTRAST, self.scores[by])


@dataclass(frozen=True)
class Filter:
    """One look at candidates."""

    measure: Callable[[EmuModels, Sequence[MadePair], EmuPairConfig], list[dict[str, float]]]
    """Returns each one's scores, all measured together; none where the filter does not look at its task."""
    check: Callable[[MadePair, Scores, EmuPairConfig], None]
    """Raises Rejection for what the scores say against a candidate."""


def choose_pairs(
    models: EmuModels, made: Sequence[Sequence[MadePair]], config: EmuPairConfig
) -> list[list[ScoredCandidate]]:
    """Return each edit's candidates: first the kept ones, the best first, then the others as they were made."""
    flat = [ScoredCandidate(pair, {}, pair.rejection) for candidates in made for pair in candidates]
    for own in FILTERS.values():
        looked_at = [one for one in flat if one.is_open]
        found = own.measure(models, [one.made for one in looked_at], config)
        passed = iter([_looked_at(own, one, scores, config) for one, scores in zip(looked_at, found, strict=True)])
        flat = [next(passed) if one.is_open else one for one in flat]
    checked = iter(flat)
    return [_ranked([next(checked) for _ in candidates], config) for candidates in made]


def with_all_scores(models: EmuModels, made: Sequence[MadePair], config: EmuPairConfig) -> list[ScoredCandidate]:
    """Return candidates that were all looked at by every filter, whatever another one has against them."""
    scores: list[dict[str, float]] = [{} for _ in made]
    for own in FILTERS.values():
        scores = [{**one, **more} for one, more in zip(scores, own.measure(models, made, config), strict=True)]
    return [ScoredCandidate(pair, own_scores, pair.rejection) for pair, own_scores in zip(made, scores, strict=True)]


def filters_against(one: ScoredCandidate, config: EmuPairConfig) -> list[str]:
    """Return the names in `FILTERS` that have something against a candidate which has all scores."""
    return [name for name, own in FILTERS.items() if _fault(own, one.made, one.scores, config) is not None]


def _looked_at(own: Filter, one: ScoredCandidate, found: Scores, config: EmuPairConfig) -> ScoredCandidate:
    scores = {**one.scores, **found}
    return replace(one, scores=scores, rejection=_fault(own, one.made, scores, config))


def _fault(own: Filter, made: MadePair, scores: Scores, config: EmuPairConfig) -> Rejection | None:
    try:
        own.check(made, scores, config)
    except Rejection as rejection:
        return rejection
    return None


def _clip(models: EmuModels, made: Sequence[MadePair], config: EmuPairConfig) -> list[dict[str, float]]:
    if not made:
        return []
    captions = [(pair.draw.edit.caption, pair.draw.edit.output) for pair in made]
    return clip_scores(models.clip, [(pair.before, pair.after) for pair in made], captions)


def _check_clip(made: MadePair, scores: Scores, config: EmuPairConfig) -> None:
    """Of a reading, which is no picture of things, the first picture counts."""
    thresholds, edit = config.thresholds, made.draw.edit
    if edit.task in READ_TASKS:
        first = "clip_output" if edit.begins_with_output else "clip_input"
        nothing = dict.fromkeys(vars(thresholds), -1.0)
        thresholds = ClipThresholds(**{**nothing, first: getattr(thresholds, first)})
    check_pictures(made.before, made.after, made.is_finite)
    check_clip(scores, thresholds)


def _contrast(models: EmuModels, made: Sequence[MadePair], config: EmuPairConfig) -> list[dict[str, float]]:
    """Ask the vision-language model of both pictures which caption fits; the one that tells them apart less counts."""
    asked = [pair for pair in made if pair.draw.edit.task not in READ_TASKS]
    if config.caption_contrast is None or models.judge is None or not asked:
        return [{} for _ in made]
    edits = [pair.draw.edit for pair in asked]
    inputs = {id(pair.before): (pair.before, e.caption, e.output) for pair, e in zip(asked, edits, strict=True)}
    outputs = {id(pair.after): (pair.after, e.output, e.caption) for pair, e in zip(asked, edits, strict=True)}
    # The picture that was painted first has many candidates, and is asked about once.
    questions = {**inputs, **outputs}
    nats = dict(zip(questions, caption_contrasts(models.judge, list(questions.values())), strict=True))
    found = {id(pair): round(min(nats[id(pair.before)], nats[id(pair.after)]), 4) for pair in asked}
    return [{CONTRAST: found[id(pair)]} if id(pair) in found else {} for pair in made]


def _check_contrast(made: MadePair, scores: Scores, config: EmuPairConfig) -> None:
    least = config.caption_contrast
    if least is not None and scores.get(CONTRAST, least) < least:
        raise Rejection(f"low {CONTRAST}", f"{scores[CONTRAST]} < {least}")


def _depth(models: EmuModels, made: Sequence[MadePair], config: EmuPairConfig) -> list[dict[str, float]]:
    if config.max_depth_difference is None or models.depth is None:
        return [{} for _ in made]
    return [{} if value is None else {DEPTH_DIFFERENCE: value} for value in depth_differences(models.depth, made)]


def _check_depth(made: MadePair, scores: Scores, config: EmuPairConfig) -> None:
    most = config.max_depth_difference
    if most is not None and scores.get(DEPTH_DIFFERENCE, most) > most:
        raise Rejection(DEPTH_DIFFERS, f"{scores[DEPTH_DIFFERENCE]} > {most}")


def _confirmed(models: EmuModels, made: Sequence[MadePair], config: EmuPairConfig) -> list[dict[str, float]]:
    if not config.confirms or models.detector is None:
        return [{} for _ in made]
    return confirmations(models.detector, made)


def _check_confirmed(made: MadePair, scores: Scores, config: EmuPairConfig) -> None:
    found = {name: scores[name] for name in (BEFORE, AFTER) if name in scores}
    check_confirmed(made.draw.edit.task, found, config.masks.detector_threshold)


FILTERS = {
    "CLIP": Filter(_clip, _check_clip),
    "captions": Filter(_contrast, _check_contrast),
    "depth": Filter(_depth, _check_depth),
    "detector": Filter(_confirmed, _check_confirmed),
}
"""By their names, in the order in which they look."""


def _ranked(checked: Sequence[ScoredCandidate], config: EmuPairConfig) -> list[ScoredCandidate]:
    """Order by worth; equal ones by their seeds, the higher first."""
    passed = sorted((one for one in checked if one.is_open), key=lambda o: (o.worth, o.made.draw.seed), reverse=True)
    surplus = Rejection(NOT_AMONG_THE_BEST, f"{len(passed)} passed, {config.max_kept} are kept")
    fallen = [one for one in checked if not one.is_open]
    return [
        *passed[: config.max_kept],
        *(replace(one, rejection=surplus) for one in passed[config.max_kept :]),
        *fallen,
    ]
