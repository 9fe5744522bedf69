"""How far a pair's depth maps lie apart where the picture should keep its shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.pretrained.depth import DepthEstimator
from editfoundry.synthesis.emu_edit.made_pair import MadePair

KEEPS_SHAPES = (EditTask.TEXTURE, EditTask.GLOBAL, EditTask.STYLE)
"""Tasks that keep the shapes of the whole picture; others with a mask keep them outside it."""
_MIN_SHARE = 0.02
"""Least share of the picture that must be compared; less says nothing."""


def depth_differences(depth: DepthEstimator, pairs: Sequence[MadePair]) -> list[float | None]:
    """Return the mean absolute difference of each pair's depth maps, as a share of the range of the input's.

    A model's unit differs from picture to picture, so the second map is first brought to the mean and the spread of the
    first one, over what is compared. None of a pair that keeps no shapes.
    """
    keep = [pair.mask is not None or pair.draw.edit.task in KEEPS_SHAPES for pair in pairs]
    asked = [pair for pair, keeps in zip(pairs, keep, strict=True) if keeps]
    # A first picture has many candidates, and is looked at once.
    pictures = {id(picture): picture for pair in asked for picture in (pair.before, pair.after)}
    maps = dict(zip(pictures, depth.nearness(list(pictures.values())), strict=True))
    return [
        _difference(pair, maps[id(pair.before)], maps[id(pair.after)]) if keeps else None
        for pair, keeps in zip(pairs, keep, strict=True)
    ]


def _difference(pair: MadePair, before: np.ndarray, after: np.ndarray) -> float | None:
    kept = np.ones(before.shape, bool)
    if pair.mask is not None and pair.draw.edit.task not in KEEPS_SHAPES:
        kept = pair.mask == 0
    if kept.mean() < _MIN_SHARE:
        return None
    first, second = before[kept], after[kept]
    second = (second - second.mean()) / max(float(second.std()), 1e-6) * first.std() + first.mean()
    span = max(float(before.max() - before.min()), 1e-6)
    return round(float(np.abs(first - second).mean()) / span, 6)
