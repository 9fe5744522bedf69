"""MGIE, figure 3: at each likeness to the input, its edits follow the instruction more than InstructPix2Pix's do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.rows.guidance import GUIDANCE_SCALE
from editfoundry.claims.rows.mgie import BASELINE, MGIE, TITLES
from editfoundry.claims.scores import ArmScores
from editfoundry.claims.verdicts import in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.editors.guidance_sweep import PAPER_IMAGE_GUIDANCE_SCALES
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import NUM_RESAMPLES, Interval

_METRICS = ("clip_image", "clip_direction")
_NUM_PLACES = 25
"""Likenesses at which two curves are compared."""
Curve = tuple[np.ndarray, np.ndarray]
"""Image similarity and directional similarity, ``(S, N)`` each: of N items at S scales."""


def _lies_above(bench: Workbench) -> Finding:
    seed = bench.config.seed
    benchmark = read_benchmark("tinyworld-ambiguous", num_items=bench.config.num_guidance_items, seed=seed)

    def curve_of(name: str, of: Callable[[ArmScores, str], np.ndarray]) -> Curve:
        folder = bench.trained_on_ambiguous(name)
        arms = [
            bench.scores(
                bench.contestant(folder, {"guidance_scale": GUIDANCE_SCALE, "image_guidance_scale": scale}), benchmark
            )
            for scale in PAPER_IMAGE_GUIDANCE_SCALES
        ]
        image, text = (np.stack([of(arm, metric) for arm in arms]) for metric in _METRICS)
        return image, text

    lower, upper = (curve_of(name, ArmScores.of) for name in (BASELINE, MGIE))
    effect = height_above(lower, upper, seed)
    by_another = [curve_of(name, ArmScores.of_another) for name in (BASELINE, MGIE)]
    control = height_above(by_another[0], by_another[1], seed)
    details = [
        level(f"{label} at s_I {scale:g}, {TITLES[name]}", row, seed)
        for name, curve in ((BASELINE, lower), (MGIE, upper))
        for label, rows in zip(("Image similarity", "Directional similarity"), curve, strict=True)
        for scale, row in zip(PAPER_IMAGE_GUIDANCE_SCALES, rows, strict=True)
    ]
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(Detail(label="Height by another item's instruction", interval=control),),
        details=tuple(details),
        note="The curves share no likeness." if effect.value is None else in_doubt("Height", effect),
    )


def height_above(lower: Curve, upper: Curve, seed: int) -> Interval:
    """Return how far one curve of means lies above another over the likenesses that both reach, with its 95 % interval.

    Items are resampled, those of both curves and all scales together; all three values are None where the curves share
    no likeness.
    """
    whole = ~np.isnan(np.concatenate([*lower, *upper])).any(0)
    curves = [(image[:, whole], text[:, whole]) for image, text in (lower, upper)]
    num = int(whole.sum())
    if num == 0:
        return Interval(None, None, None, 0)
    value = _height(curves, np.arange(num))
    random = np.random.default_rng(seed)
    drawn = [_height(curves, random.integers(num, size=num)) for _ in range(NUM_RESAMPLES)]
    if np.isnan(value) or np.isnan(drawn).all():
        return Interval(None, None, None, num)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high), num)


def _height(curves: list[Curve], items: np.ndarray) -> float:
    means = [(image[:, items].mean(1), text[:, items].mean(1)) for image, text in curves]
    low, high = max(image.min() for image, _ in means), min(image.max() for image, _ in means)
    if low >= high:
        return float("nan")
    places = np.linspace(low, high, _NUM_PLACES)
    below, above = (np.interp(places, image[order := np.argsort(image)], text[order]) for image, text in means)
    return float((above - below).mean())


CURVE_LIES_ABOVE = Claim(
    name="mgie-trade-off-above-ip2p",
    paper="MGIE",
    sentence="At every likeness to the input, MGIE's edits agree more with the instruction (figure 3).",
    arms=(TITLES[BASELINE], TITLES[MGIE]),
    metric=(
        "Mean height of its curve of CLIP directional similarity over CLIP image similarity above the other's, s_I 1.0 "
        "to 2.2, over the image similarities that both reach; higher is better."
    ),
    rule="Holds where the interval lies above 0, fails where it lies below.",
    test=_lies_above,
    limits="Small models on tinyworld's ambiguous instructions, with the profile's CLIP.",
)
