"""Whether triplets made from tinyworld's captions show the outcome that their captions name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.data.edit_tasks import task_named
from editfoundry.data.record import Triplet
from editfoundry.data.shards import read_triplets
from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval, bootstrap_columns, group_difference
from editfoundry.tinyworld.benchmark import case_of_edit
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.edits import Edit
from editfoundry.tinyworld.outcome import OutcomeVerdict, defect, judge_outcome
from editfoundry.tinyworld.scene import IMAGE_SIZE
from editfoundry.tinyworld.scene_sampling import random_stream
from editfoundry.tinyworld.tasks.edits_of_scenes import edit_from_captions
from editfoundry.tinyworld.tasks.task_edit import case_of_task_edit, wrong_drawings
from editfoundry.tinyworld.wrong_outcomes import shows


@dataclass(frozen=True, kw_only=True)
class TripletTruth:
    """How many triplets became what their output caption says."""

    kept: Interval
    """Share of right outcomes among the triplets that were kept; all of them when nothing chose."""
    dropped: Interval
    """Share of right outcomes among the others."""
    difference: Interval
    """Kept minus dropped."""
    ranking: Mapping[str, float] = field(default_factory=dict)
    """Score -> how often a right triplet has more of it than a wrong one; 0.5 is chance. Of scores that all have."""
    num_unreadable: int
    """Triplets whose captions are not tinyworld's, or whose change cannot be seen."""
    by_task: Mapping[str, TripletTruth] = field(default_factory=dict)
    """The same of each task's, where triplets carry tasks."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        facts: dict[str, Any] = {"right_share": self.kept.to_dict()}
        if self.dropped.n:
            facts["right_share_of_dropped"] = self.dropped.to_dict()
            facts["kept_minus_dropped"] = self.difference.to_dict()
        if self.ranking:
            facts["ranking"] = dict(self.ranking)
        by_task = {"by_task": {task: own.to_dict() for task, own in self.by_task.items()}} if self.by_task else {}
        return {**facts, "num_unreadable": self.num_unreadable, **by_task}


def triplet_truth(
    triplets: Path, kept_ids: Collection[str] | None = None, seed: int = 0, category: str | None = None
) -> TripletTruth:
    """Score triplet shards against the outcomes that their captions name.

    Triplets of one pair of captions stand or fall together, so intervals are of pairs drawn anew.

    Args:
        triplets: shard, or folder of shards.
        kept_ids: what a later stage kept of them; None means all.
        seed: of the bootstrap.
        category: of the triplets to score; None means all.

    Raises:
        BadInputError: there is no shard, or no triplet of that category whose captions are tinyworld's.
    """
    judged: list[_Judged] = []
    places: dict[tuple[str, str], int] = {}
    unreadable: Counter[str] = Counter()
    for triplet in read_triplets(triplets):
        if category not in (None, triplet.category):
            continue
        verdict = triplet_verdict(triplet)
        if verdict is None:
            unreadable[triplet.task] += 1
            continue
        group = places.setdefault((triplet.input_caption, triplet.output_caption), len(places))
        is_kept = kept_ids is None or triplet.id in kept_ids
        judged.append(_Judged(verdict.right, is_kept, group, triplet.task, triplet.scores))
    if not judged:
        which = "triplet" if category is None else f"triplet of the category {category}"
        raise BadInputError(f"{triplets}: no {which} here has captions of tinyworld, so none has a known outcome")
    tasks = sorted({one.task for one in judged if one.task})
    by_task = {task: _truth([one for one in judged if one.task == task], unreadable[task], {}, seed) for task in tasks}
    return _truth(judged, unreadable.total(), by_task, seed)


@dataclass(frozen=True)
class _Judged:
    """A triplet whose outcome is known."""

    right: bool
    is_kept: bool
    group: int
    """Of triplets that stand or fall together."""
    task: str
    scores: Mapping[str, float]


def _truth(
    judged: Sequence[_Judged], num_unreadable: int, by_task: Mapping[str, TripletTruth], seed: int
) -> TripletTruth:
    values, kept = np.array([float(one.right) for one in judged]), np.array([one.is_kept for one in judged])
    group = np.array([one.group for one in judged])
    sides = np.stack([np.where(kept, values, np.nan), np.where(kept, np.nan, values)], axis=1)
    of_kept, of_dropped = bootstrap_columns(sides, group, seed=seed)
    difference = group_difference(values, kept, group, seed=seed)
    return TripletTruth(
        kept=of_kept,
        dropped=of_dropped,
        difference=difference,
        ranking=_ranking(values, [one.scores for one in judged]),
        num_unreadable=num_unreadable,
        by_task=by_task,
    )


def _ranking(right: np.ndarray, scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return for each score the area under the curve: the chance that it ranks a right triplet above a wrong one."""
    names = sorted(set.intersection(*map(set, scores)))
    wrong = right == 0
    if wrong.all() or not wrong.any():
        return {}
    areas = {}
    for name in names:
        values = np.array([score[name] for score in scores])
        low, high = (np.searchsorted(np.sort(values[wrong]), values[~wrong], side) for side in ("left", "right"))
        areas[name] = round(float((low + high).mean() / 2 / wrong.sum()), 4)
    return areas


def triplet_verdict(triplet: Triplet) -> OutcomeVerdict | None:
    """Return what a triplet's output picture became; None when its captions name no visible change."""
    case = case_of_texts(triplet.task, triplet.input_caption, triplet.output_caption, triplet.instruction)
    if case is None:
        return None
    return judge_outcome(at_tinyworlds_size(triplet.output_image), case)


def at_tinyworlds_size(picture: Image.Image) -> np.ndarray:
    """Return an RGB picture as tinyworld's pictures are, ``(H, W, 3)`` uint8."""
    return np.asarray(picture.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.LANCZOS))


@lru_cache(maxsize=32)
def case_of_texts(task: str, input_caption: str, output_caption: str, instruction: str) -> EditCase | None:
    """Return the edit that a triplet's texts name, None where it is none of tinyworld's that can be seen.

    Its candidates come one after the other, and it is drawn once.
    """
    case = case_from_captions(input_caption, output_caption, instruction)
    return case or case_of_task(task, input_caption, output_caption)


def case_of_task(task: str, input_caption: str, output_caption: str) -> EditCase | None:
    """Draw the edit of a task that captions name which are no scenes': a texture, a style, a box around a thing."""
    edit = edit_from_captions(task_named(task), input_caption, output_caption) if task else None
    if edit is None or not edit.shows:
        return None
    wrong = wrong_drawings(edit, random_stream("truth", task, input_caption, output_caption))
    return None if wrong is None else case_of_task_edit(f"{input_caption} -> {output_caption}", edit, wrong)


def case_from_captions(input_caption: str, output_caption: str, instruction: str) -> EditCase | None:
    """Draw the edit that two captions name; None when they are not tinyworld's or differ in nothing that shows."""
    try:
        before, after = scene_from_caption(input_caption), scene_from_caption(output_caption)
    except ValueError:
        return None
    changed = [i for i, pair in enumerate(zip(before.objects, after.objects, strict=False)) if pair[0] != pair[1]]
    index = changed[0] if changed and len(before.objects) == len(after.objects) else None
    edit = Edit(before=before, after=after, instruction=instruction, category="", index=index)
    if before == after or not shows(edit):
        return None
    random = random_stream("truth", input_caption, output_caption)
    case = case_of_edit(f"{input_caption} -> {output_caption}", edit, random)
    return case if defect(case) is None else None
