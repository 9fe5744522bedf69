"""Makes the candidates of a batch of edits: first pictures, what is found in them, then each task's own way."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import Rejection
from editfoundry.judging.pair_scores import not_finite
from editfoundry.synthesis.emu_edit.attention_control import edit_regions, edit_whole, restyle
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.first_pictures import EditDraw, FirstPictures, draws_of, paint_first
from editfoundry.synthesis.emu_edit.inpainting import change_background, take_away
from editfoundry.synthesis.emu_edit.made_pair import (
    NO_OUTLINE,
    NOT_FOUND,
    NOTHING_KEPT,
    MadePair,
    no_pair,
)
from editfoundry.synthesis.emu_edit.masks import FoundThing, find_things, kept_things
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.readings import READ_TASKS, read_pictures
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction

_ON_ONE_THING = (
    EditTask.LOCAL, EditTask.TEXTURE, EditTask.REMOVE, EditTask.ADD, EditTask.DETECT, EditTask.SEGMENT,
)  # fmt: skip


def make_pairs(models: EmuModels, edits: Sequence[TaskInstruction], config: EmuPairConfig) -> list[list[MadePair]]:
    """Return each edit's candidates, those that could not be made included, each with its reason."""
    made = make_candidates(models, [draw for edit in edits for draw in draws_of(edit, config)], config)
    places = {edit.id: number for number, edit in enumerate(edits)}
    ordered: list[list[MadePair]] = [[] for _ in edits]
    for pair in made:
        ordered[places[pair.draw.edit.id]].append(pair)
    return ordered


def make_candidates(models: EmuModels, draws: Sequence[EditDraw], config: EmuPairConfig) -> list[MadePair]:
    """Return the candidates of draws, in any order.

    All first pictures are painted together; so are all candidates of one way of making them.
    """
    with models.painting():
        first = paint_first(models, draws, config)
    found, made = _found(models, first, config)
    one = {row: own[0] for row, own in found.items() if first.draws[row].edit.task in _ON_ONE_THING}
    rows = {task: [row for row in _open_rows(first, made) if first.draws[row].edit.task is task] for task in EditTask}
    with models.painting():
        regions = [row for task in (EditTask.LOCAL, EditTask.TEXTURE) for row in rows[task]]
        taken = [row for task in (EditTask.REMOVE, EditTask.ADD) for row in rows[task]]
        if regions:
            made += edit_regions(models, first, {row: one[row] for row in regions}, config)
        if rows[EditTask.GLOBAL]:
            made += edit_whole(models, first, rows[EditTask.GLOBAL], config)
        if rows[EditTask.STYLE]:
            made += restyle(models, first, rows[EditTask.STYLE], config)
        if taken:
            made += take_away(models, first, {row: one[row] for row in taken}, config)
        if rows[EditTask.BACKGROUND]:
            made += change_background(models, first, {row: found[row] for row in rows[EditTask.BACKGROUND]}, config)
    return [*made, *read_pictures(models, first, [row for task in READ_TASKS for row in rows[task]], one)]


def _found(
    models: EmuModels, first: FirstPictures, config: EmuPairConfig
) -> tuple[dict[int, list[FoundThing]], list[MadePair]]:
    """Return what was found for the draws that need something found, and the draws for which it was not."""
    fallen = [no_pair(first, row, not_finite()) for row, is_finite in enumerate(first.is_finite) if not is_finite]
    phrases = [_phrases(draw.edit) if first.is_finite[row] else [] for row, draw in enumerate(first.draws)]
    if models.detector is None or models.segmenter is None:
        return {}, fallen
    things = find_things(models.detector, models.segmenter, first.images, phrases, config.masks)
    found: dict[int, list[FoundThing]] = {}
    for row, own in enumerate(things):
        if not first.is_finite[row] or not _needs_things(first.draws[row].edit):
            continue
        try:
            if not phrases[row]:
                raise Rejection(NOTHING_KEPT, first.draws[row].edit.output)
            found[row] = [_usable(thing, phrase, config) for thing, phrase in zip(own, phrases[row], strict=True)]
        except Rejection as rejection:
            fallen.append(no_pair(first, row, rejection))
    return found, fallen


def _needs_things(edit: TaskInstruction) -> bool:
    return edit.task in _ON_ONE_THING or edit.task is EditTask.BACKGROUND


def _phrases(edit: TaskInstruction) -> list[str]:
    """Return what must be found in an edit's first picture."""
    if edit.task is EditTask.BACKGROUND:
        return kept_things(edit.caption, edit.output)
    return [edit.first_object] if edit.task in _ON_ONE_THING else []


def _usable(thing: FoundThing | None, phrase: str, config: EmuPairConfig) -> FoundThing:
    if thing is None:
        raise Rejection(NOT_FOUND, f"{phrase!r}; no find scores {config.masks.detector_threshold}")
    if thing.fit < config.masks.min_fit:
        raise Rejection(NO_OUTLINE, f"{phrase!r}: its box and the detector's share {thing.fit:.2f}")
    return thing


def _open_rows(first: FirstPictures, made: Sequence[MadePair]) -> list[int]:
    """Return the draws that have no candidate yet, not even one that was rejected."""
    known = {(pair.draw.edit.id, pair.draw.number) for pair in made}
    return [row for row, draw in enumerate(first.draws) if (draw.edit.id, draw.number) not in known]
