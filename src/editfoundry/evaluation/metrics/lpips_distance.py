"""LPIPS (Zhang et al., 2018): how far edit and reference are to a network that knows no words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric, MetricModel
from editfoundry.evaluation.metrics.pixel_distances import PREPROCESSING, resized

if TYPE_CHECKING:
    from editfoundry.pretrained.lpips import Lpips
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile


def _load(profile: Profile, runtime: Runtime) -> Lpips:
    from editfoundry.pretrained.lpips import load_lpips

    return load_lpips(profile, runtime)


def _distances(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    """Return the distances; pictures of one size go through the network together."""
    model: Lpips = edits.batch.measurement.models.by_role["lpips"]
    by_size: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        by_size[edits.reference(row).size].append(row)
    found: dict[int, float] = {}
    for size, own in by_size.items():
        edited, targets = [edits.edit(row) for row in own], [edits.reference(row) for row in own]
        found |= dict(zip(own, model.distances(_pixels(edited, size), _pixels(targets, size)).tolist(), strict=True))
    return [found[row] for row in rows]


def _pixels(images: Sequence[Image.Image], size: tuple[int, int]) -> Tensor:
    """Return pictures as ``(B, 3, H, W)`` float32 in [0, 1], RGB."""
    arrays = np.stack([np.asarray(resized(image, size)) for image in images])
    return torch.from_numpy(arrays).permute(0, 3, 1, 2).float() / 255


LPIPS = Metric(
    name="lpips",
    label="LPIPS",
    measures="LPIPS distance, version 0.1, to the reference (Zhang et al., 2018).",
    unit="distance",
    higher_is_better=False,
    compute=_distances,
    needs=("reference",),
    model=MetricModel(role="lpips", load=_load),
    preprocessing=f"{PREPROCESSING}; scaled to [-1, 1]; version 0.1",
)
