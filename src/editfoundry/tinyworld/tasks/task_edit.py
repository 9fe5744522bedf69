"""An edit of one of Emu Edit's tasks, with its true outcome and what one might wrongly make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.edit_case import EditCase, stacked_pictures
from editfoundry.tinyworld.outcome import changed_region
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene, picture_of, render
from editfoundry.tinyworld.wrong_outcomes import (
    MIN_CHANGED_SHARE,
    MIN_DIFFERING_SHARE,
    NUM_WRONG_OUTCOMES,
    smeared_outcomes,
)

Drawing = Callable[[int], np.ndarray]
"""Draws a picture: from its pixels to a side to ``(side, side, 3)`` uint8 RGB. Equal sides give equal pixels."""

MAX_WRONG_OUTCOMES = 24
MIN_DIFFERING_PICTURE_SHARE = 0.02
"""Two outcomes of an edit of the whole picture differ visibly in this share of it at least."""
_MAX_TRIES = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskEdit:
    """What is asked, the picture before and the picture as it must become."""

    task: EditTask
    instruction: str
    input_caption: str
    output_caption: str
    before: Drawing
    after: Drawing
    wrong: Callable[[np.random.Generator], Iterator[Drawing]]
    """Yields what somebody might take for the outcome, the likeliest first; it may go on without end, and may hold what
    cannot be told from the truth."""
    changes: str
    """What the edit changes: a kind of object, ``background``, or what the whole picture becomes."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the instruction's wording was filled in with; empty where other wordings would not fit."""
    open: tuple[Drawing, ...] = ()
    """Outcomes that the instruction allows as much as ``after``, see `open_outcomes`."""
    index: int | None = None
    """Place of the object that the instruction names among the scene's; None where it names none."""

    @cached_property
    def input_image(self) -> np.ndarray:
        """The picture before, ``(64, 64, 3)`` uint8 RGB."""
        return self.before(IMAGE_SIZE)

    @cached_property
    def output_image(self) -> np.ndarray:
        """The true outcome, ``(64, 64, 3)`` uint8 RGB."""
        return self.after(IMAGE_SIZE)

    @cached_property
    def region(self) -> np.ndarray:
        """Where the picture truly changes, ``(64, 64)`` bool."""
        return changed_region(self.input_image, self.output_image)

    @property
    def shows(self) -> bool:
        """Whether the edit can be seen."""
        return float(self.region.mean()) >= MIN_CHANGED_SHARE


def drawing_of(scene: Scene) -> Drawing:
    """Return what draws a scene; at 64 pixels it is drawn once."""
    return lambda side: picture_of(scene) if side == IMAGE_SIZE else render(scene, side)


def wrong_drawings(
    edit: TaskEdit, random: np.random.Generator, count: int = NUM_WRONG_OUTCOMES
) -> list[Drawing] | None:
    """Return ``count`` to ``MAX_WRONG_OUTCOMES`` wrong outcomes that differ visibly from the input and the truth.

    None where there are fewer: the edit cannot be judged.
    """
    chosen: list[Drawing] = []
    for tries, drawing in enumerate(edit.wrong(random)):
        if len(chosen) >= MAX_WRONG_OUTCOMES or tries >= _MAX_TRIES:
            break
        picture = drawing(IMAGE_SIZE)
        if _differ(picture, edit.output_image, edit.region) and _differ(picture, edit.input_image, edit.region):
            chosen.append(drawing)
    return chosen if len(chosen) >= count else None


def case_of_task_edit(identifier: str, edit: TaskEdit, wrong: list[Drawing], side: int = IMAGE_SIZE) -> EditCase:
    """Return the edit as pictures of ``side`` pixels, with its wrong outcomes."""
    before, truth = edit.before(side), edit.after(side)
    return EditCase(
        id=identifier,
        category=str(edit.task),
        task=str(edit.task),
        rule="",
        instruction=edit.instruction,
        input_caption=edit.input_caption,
        output_caption=edit.output_caption,
        input_image=before,
        true_output=truth,
        wrong_outputs=np.stack([*(drawing(side) for drawing in wrong), *smeared_outcomes(before, truth)]),
        open_outputs=stacked_pictures(drawing(side) for drawing in edit.open),
        changes=edit.changes,
    )


def _differ(first: np.ndarray, second: np.ndarray, region: np.ndarray) -> bool:
    """Whether two outcomes can be told apart: in a tenth of what changes, or in a fiftieth of the picture."""
    wanted = min(MIN_DIFFERING_SHARE * region.sum(), MIN_DIFFERING_PICTURE_SHARE * region.size)
    return float((changed_region(first, second) & region).sum()) >= wanted
