"""Measures the detector on held-out scenes: how well what it finds by phrases lies where the named things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from editfoundry.pretrained.boxes import box_iou
from editfoundry.pretrained.detector import Detector, FoundBox, apart, load_detector
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.named_things import absent_things, is_told_by_kind, kind_of
from editfoundry.pretraining.recipes.detector import MIN_PIXELS
from editfoundry.profiles import Profile
from editfoundry.tinyworld.scene import Scene, SceneObject, object_boxes, object_masks, render
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_MEASURED = 256
NUM_ABSENT = 3
"""Phrases that each scene is asked for in vain, beside those of its things."""
MIN_IOU = 0.5
"""From which on a box is right."""
LEAST_SCORE = 0.02
"""Of finds that are ranked."""
Truth = tuple[int, int, int, int] | None


@dataclass(frozen=True)
class _Asked:
    """A phrase asked of a scene."""

    kind: str
    truth: Truth
    """Box of what it names in pixels; None where it names nothing."""
    finds: Sequence[FoundBox]


def measure_detector(profile: Profile, runtime: Runtime, num_scenes: int = NUM_MEASURED) -> dict[str, float]:
    """Return the mean average precision at an IoU of 0.5 over kinds of things, beside two controls.

    Each scene is asked for its things and for three that it has not. ``_by_another_phrase`` has the finds of the
    scene's next phrase in the place of a phrase's own; ``_without_looking`` finds the mean box of all things in each.
    ``_by_kind`` names things by their kind alone, where the scene has no other such.
    """
    detector = load_detector(profile, runtime)
    asked = [_ask(detector, index) for index in range(num_scenes)]
    by_kind = [_ask(detector, index, by_kind=True) for index in range(num_scenes)]
    shifted = [[_Asked(one.kind, one.truth, other.finds) for one, other in _next(scene)] for scene in asked]
    whole = [one for scene in asked for one in scene]
    boxes = np.array([one.truth for one in whole if one.truth is not None], dtype=float)
    middle = FoundBox(tuple(boxes.mean(0)) if len(boxes) else (0.0, 0.0, 1.0, 1.0), 0.5)
    return {
        "map_50": _mean_precision(whole),
        "map_50_by_kind": _mean_precision([one for scene in by_kind for one in scene]),
        "map_50_by_another_phrase": _mean_precision([one for scene in shifted for one in scene]),
        "map_50_without_looking": _mean_precision([_Asked(one.kind, one.truth, [middle]) for one in whole]),
    }


def average_precision(asked: Sequence[tuple[Truth, Sequence[FoundBox]]]) -> float:
    """Return the area under the curve of precision over recall, of finds ranked by score; NaN where nothing is there.

    Args:
        asked: of each picture the true box, if there is one, and the finds.
    """
    ranked = sorted(
        ((find.score, n, find) for n, (_, finds) in enumerate(asked) for find in finds), key=lambda f: -f[0]
    )
    hits, met = [], set()
    for _, number, find in ranked:
        truth = asked[number][0]
        is_hit = truth is not None and number not in met and box_iou(find.box, truth) >= MIN_IOU
        met |= {number} if is_hit else set()
        hits.append(is_hit)
    num_things = sum(truth is not None for truth, _ in asked)
    if num_things == 0:
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    # The best precision at this recall or a higher one, as in the evaluation of PASCAL VOC since 2010.
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[np.array(hits, dtype=bool)].sum() / num_things)


def _ask(detector: Detector, index: int, by_kind: bool = False) -> list[_Asked]:
    scene = sample_scene(random_stream("measure", "test", index), "test")
    absent = absent_things(scene, NUM_ABSENT, random_stream("detector absent", index))
    things: list[tuple[SceneObject, Truth]] = [*_seen(scene), *((thing, None) for thing in absent)]
    if by_kind:
        things = [(thing, box) for thing, box in things if is_told_by_kind(thing, scene)]
    if not things:
        return []
    phrases = [kind_of(thing) if by_kind else thing.phrase for thing, _ in things]
    [finds] = detector.find([Image.fromarray(render(scene))], [phrases], LEAST_SCORE)
    return [_Asked(thing.kind, box, apart(found)) for (thing, box), found in zip(things, finds, strict=True)]


def _seen(scene: Scene) -> list[tuple[SceneObject, Truth]]:
    shown = zip(scene.objects, object_boxes(scene), object_masks(scene), strict=True)
    return [(thing, box) for thing, box, mask in shown if mask.sum() >= MIN_PIXELS]


def _next(scene: list[_Asked]) -> list[tuple[_Asked, _Asked]]:
    return list(zip(scene, [*scene[1:], *scene[:1]], strict=True))


def _mean_precision(asked: Sequence[_Asked]) -> float:
    kinds = sorted({one.kind for one in asked})
    values = [average_precision([(one.truth, one.finds) for one in asked if one.kind == kind]) for kind in kinds]
    return float(np.nanmean(values))
