"""Whether triplets made from tinyworld's captions show the outcome that their captions name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        facts: dict[str, Any] = {"right_share": self.kept.to_dict()}
        if self.dropped.n:
            facts["right_share_of_dropped"] = self.dropped.to_dict()
            facts["kept_minus_dropped"] = self.difference.to_dict()
        if self.ranking:
            facts["ranking"] = dict(self.ranking)
        return {**facts, "num_unreadable": self.num_unreadable}


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
    right, is_kept, groups, scores = [], [], [], []
    places: dict[tuple[str, str], int] = {}
    num_unreadable = 0
    for triplet in read_triplets(triplets):
        if category not in (None, triplet.category):
            continue
        verdict = triplet_verdict(triplet)
        if verdict is None:
            num_unreadable += 1
        else:
            right.append(float(verdict.right))
            scores.append(triplet.scores)
            is_kept.append(kept_ids is None or triplet.id in kept_ids)
            groups.append(places.setdefault((triplet.input_caption, triplet.output_caption), len(places)))
    if not right:
        which = "triplet" if category is None else f"triplet of the category {category}"
        raise BadInputError(f"{triplets}: no {which} here has captions of tinyworld, so none has a known outcome")
    values, kept, group = np.array(right), np.array(is_kept), np.array(groups)
    sides = np.stack([np.where(kept, values, np.nan), np.where(kept, np.nan, values)], axis=1)
    of_kept, of_dropped = bootstrap_columns(sides, group, seed=seed)
    difference = group_difference(values, kept, group, seed=seed)
    return TripletTruth(
        kept=of_kept,
        dropped=of_dropped,
        difference=difference,
        ranking=_ranking(values, scores),
        num_unreadable=num_unreadable,
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
    case = case_from_captions(triplet.input_caption, triplet.output_caption, triplet.instruction)
    if case is None:
        return None
    picture = triplet.output_image.convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.LANCZOS)
    return judge_outcome(np.asarray(picture), case)


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
