"""The detector's word on a pair: what was to come came, and what was to go went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from editfoundry.data.edit_tasks import EditTask
from editfoundry.errors import Rejection
from editfoundry.pretrained.boxes import box_iou
from editfoundry.pretrained.detector import Detector
from editfoundry.synthesis.emu_edit.made_pair import MadePair

STILL_THERE, DID_NOT_COME = "object still there", "object did not come"
_LEAST_IOU = 0.3
"""Of a find with the thing that the edit is about; what is found elsewhere is another thing."""
_LEAST_SCORE = 0.02
BEFORE, AFTER = "found_before", "found_after"
"""Scores of the thing before and of the thing after the edit, both looked for in the picture painted second, where the
first one's thing was."""
_TASKS = (EditTask.LOCAL, EditTask.REMOVE, EditTask.ADD)


def confirmations(detector: Detector, pairs: Sequence[MadePair]) -> list[dict[str, float]]:
    """Return the detector's scores of each pair, 0 where it finds nothing; none of other tasks than these three."""
    asked = [number for number, pair in enumerate(pairs) if pair.draw.edit.task in _TASKS and pair.thing is not None]
    pictures = [pairs[number].second for number in asked]
    phrases = [_phrases(pairs[number]) for number in asked]
    found = detector.find(pictures, [list(said.values()) for said in phrases], _LEAST_SCORE) if asked else []
    scores: list[dict[str, float]] = [{} for _ in pairs]
    for number, said, finds in zip(asked, phrases, found, strict=True):
        thing = pairs[number].thing
        assert thing is not None
        scores[number] = {
            name: round(max((f.score for f in own if box_iou(f.box, thing.find.box) >= _LEAST_IOU), default=0.0), 6)
            for name, own in zip(said, finds, strict=True)
        }
    return scores


def check_confirmed(task: EditTask, scores: Mapping[str, float], threshold: float) -> None:
    """Raise Rejection where a thing did not come, or is surer to be there than what took its place.

    Args:
        task: of the edit.
        scores: as `confirmations` tells them; none is no fault.
        threshold: least score of a find.
    """
    if not scores:
        return
    if task in (EditTask.REMOVE, EditTask.ADD) and scores[BEFORE] >= threshold:
        raise Rejection(STILL_THERE, f"{scores[BEFORE]} >= {threshold}")
    if task is EditTask.LOCAL:
        if scores[AFTER] < threshold:
            raise Rejection(DID_NOT_COME, f"{scores[AFTER]} < {threshold}")
        if scores[BEFORE] > scores[AFTER]:
            raise Rejection(STILL_THERE, f"{scores[BEFORE]} > {scores[AFTER]}")


def _phrases(pair: MadePair) -> dict[str, str]:
    """Return what is looked for in the picture painted second."""
    edit = pair.draw.edit
    if edit.task in (EditTask.REMOVE, EditTask.ADD):
        return {BEFORE: edit.first_object}
    return {BEFORE: edit.original_object, AFTER: edit.edited_object}
