"""InstructPix2Pix, figure 8: image guidance trades the instruction for the input picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.verdicts import Verdict, all_of, in_doubt, is_above, is_below, items_to_decide
from editfoundry.claims.workbench import Workbench
from editfoundry.editors.guidance_sweep import PAPER_IMAGE_GUIDANCE_SCALES
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import bootstrap_interval, paired_difference

GUIDANCE_SCALE = 7.5
_METRICS = ("clip_image", "clip_direction")


def _trades(bench: Workbench) -> Finding:
    seed = bench.config.seed
    benchmark = read_benchmark("tinyworld-plain", num_items=bench.config.num_guidance_items, seed=seed)
    arms = [
        bench.scores(
            bench.contestant("base", {"guidance_scale": GUIDANCE_SCALE, "image_guidance_scale": scale}), benchmark
        )
        for scale in PAPER_IMAGE_GUIDANCE_SCALES
    ]
    image, text = (np.stack([arm.of(metric) for arm in arms]) for metric in _METRICS)
    by_another = tuple(np.stack([arm.of_another(metric) for arm in arms]) for metric in _METRICS)
    return trade_off(image, text, seed, by_another)


def trade_off(image: np.ndarray, text: np.ndarray, seed: int, by_another: Sequence[np.ndarray]) -> Finding:
    """Return the finding of a sweep.

    Args:
        image: ``(S, N)`` similarity to the input picture at each of the paper's scales.
        text: ``(S, N)`` directional similarity.
        seed: of the bootstrap.
        by_another: both, each ``(S, N)``, of the edits by another item's instruction.
    """
    control = [bootstrap_interval(_slopes(values), seed=seed) for values in by_another]
    slopes = [bootstrap_interval(_slopes(values), seed=seed) for values in (image, text)]
    verdict = all_of([is_above(slopes[0]), is_below(slopes[1])])
    wrong = [*_steps_against(image, seed), *_steps_against(-text, seed)]
    monotone = bool((np.diff(np.nanmean(image, 1)) >= 0).all() and (np.diff(np.nanmean(text, 1)) <= 0).all())
    return Finding(
        effect=slopes[0],
        verdict=_with_steps(verdict, bool(wrong), monotone),
        controls=(
            Detail(label="Slope of image similarity by another item's instruction", interval=control[0]),
            Detail(label="Slope of directional similarity by another item's instruction", interval=control[1]),
        ),
        details=(
            Detail(label="Slope of CLIP directional similarity", interval=slopes[1]),
            *(
                Detail(
                    label=f"{name} at s_I {scale:g}", interval=bootstrap_interval(row, seed=seed), is_difference=False
                )
                for name, rows in (("Image similarity", image), ("Directional similarity", text))
                for scale, row in zip(PAPER_IMAGE_GUIDANCE_SCALES, rows, strict=True)
            ),
        ),
        note=" ".join(filter(None, _doubts(image, text, seed))),
    )


def _slopes(values: np.ndarray) -> np.ndarray:
    """Return each item's least-squares slope over the scales, ``(S, N)`` to ``(N,)``."""
    centred = np.array(PAPER_IMAGE_GUIDANCE_SCALES) - np.mean(PAPER_IMAGE_GUIDANCE_SCALES)
    return np.asarray(centred @ values / np.square(centred).sum())


def _steps_against(values: np.ndarray, seed: int) -> list[int]:
    """Return the steps between neighbouring scales in which the values clearly fall."""
    steps = [paired_difference(values[i], values[i + 1], seed=seed) for i in range(len(values) - 1)]
    return [i for i, step in enumerate(steps) if step.high is not None and step.high < 0]


def _doubts(image: np.ndarray, text: np.ndarray, seed: int) -> list[str]:
    """Return what is in doubt: slopes, and steps between neighbouring scales."""
    rising = {"image similarity": image, "directional similarity, downwards": -text}
    slopes = [
        in_doubt(f"Slope of {label}", bootstrap_interval(_slopes(values), seed=seed))
        for label, values in rising.items()
    ]
    return [*slopes, *(_doubt(label.capitalize(), values, seed) for label, values in rising.items())]


def _doubt(label: str, values: np.ndarray, seed: int) -> str:
    """Return which steps' means fall though they should rise, clearly or so that more items would have to tell."""
    told = []
    for place, (scale, following) in enumerate(pairwise(PAPER_IMAGE_GUIDANCE_SCALES)):
        step = paired_difference(values[place], values[place + 1], seed=seed)
        if step.value is not None and step.value < 0:
            is_open = is_above(step) == "undecided"
            how = f"about {items_to_decide(step)} items would tell" if is_open else f"clearly, by {-step.value:.4f}"
            told.append(f"{scale:g} to {following:g} ({how})")
    return f"{label}: the means do not follow from {', '.join(told)}." if told else ""


def _with_steps(slopes: Verdict, falls: bool, monotone: bool) -> Verdict:
    if falls:
        return "does not hold"
    return "undecided" if slopes == "holds" and not monotone else slopes


GUIDANCE_TRADES = Claim(
    name="ip2p-guidance-trades",
    paper="InstructPix2Pix",
    sentence="Raising the image guidance scale trades agreement with the instruction for likeness to the input.",
    arms=("s_I 1.0", "s_I 2.2, in steps of 0.2, s_T 7.5"),
    metric=(
        "Slope over s_I of CLIP similarity between edit and input, per unit of s_I; beside it that of CLIP directional "
        "similarity."
    ),
    rule=(
        "Holds where the first slope's interval lies above 0, the second's below 0 and both means are monotone; fails "
        "where a slope, or a step between neighbouring scales, clearly goes the other way."
    ),
    test=_trades,
    limits="Plain edits of tinyworld with the profile's base editor and CLIP.",
)
