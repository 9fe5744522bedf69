"""EditWorld, table 5: the video branch's data add what the text branch's lack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.scores import BY_ANOTHER, SPECIFIC, gain, gain_by_another, specific_gain
from editfoundry.claims.triplets import TEXT_CATEGORIES, VIDEO_CATEGORIES
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.benchmark import world_cases

CATEGORY = "Spatial-Trans"
"""The category that the video branch alone yields and that text-to-image models cannot paint pairs of."""
NEVER_RIGHT = f"Neither arm is ever right in {CATEGORY}: so short a training tells nothing."
"""Told where an undecided verdict comes of it."""


def _adds_spatial(bench: Workbench) -> Finding:
    chosen = bench.config
    spatial = _of_category(chosen.num_category_items, chosen.seed)
    others = read_benchmark("tinyworld-world", num_items=chosen.num_category_items, seed=chosen.seed)
    others = replace(others, items=tuple(item for item in others.items if item.category in TEXT_CATEGORIES))
    text = bench.contestant(bench.trained([TEXT_CATEGORIES]), own_guidance=True)
    both = bench.contestant(bench.trained([TEXT_CATEGORIES, VIDEO_CATEGORIES]), own_guidance=True)
    arms, arms_elsewhere = (
        (bench.scores(text, benchmark), bench.scores(both, benchmark)) for benchmark in (spatial, others)
    )
    effect, by_another, specific = (
        measure(*arms, RIGHT, chosen.seed) for measure in (gain, gain_by_another, specific_gain)
    )
    elsewhere = gain(*arms_elsewhere, RIGHT, chosen.seed)
    is_ever_right = any(np.nansum(arm.of(RIGHT)) > 0 for arm in arms)
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]) if is_ever_right else "undecided",
        controls=(Detail(label=BY_ANOTHER, interval=by_another),),
        details=(
            Detail(label=SPECIFIC, interval=specific),
            Detail(label="Gain in the text branch's categories", interval=elsewhere),
            *(
                level(f"Right edits in {where}, {name}", arm.of(RIGHT), chosen.seed)
                for where, pair in ((CATEGORY, arms), ("the text branch's categories", arms_elsewhere))
                for name, arm in zip(("text alone", "half of it video"), pair, strict=True)
            ),
        ),
        note=in_doubt("Specific gain", specific) if is_ever_right else NEVER_RIGHT,
    )


def _of_category(count: int, seed: int) -> Benchmark:
    """Draw the category's edits of the world benchmark until there are ``count``."""
    num_drawn = 8 * count
    while True:
        cases = [case for case in world_cases("test", num_drawn, seed) if case.category == CATEGORY][:count]
        if len(cases) == count:
            items = tuple(map(item_of_case, cases))
            return Benchmark(name=f"tinyworld-world {CATEGORY}", title=CATEGORY, items=items, facts={"seed": seed})
        num_drawn *= 2


VIDEO_ADDS_SPATIAL = Claim(
    name="editworld-video-adds-spatial",
    paper="EditWorld",
    sentence=f"Fine-tuning on video data adds what text data lacks: {CATEGORY}.",
    arms=("trained on the text branch's categories", "trained on as many triplets, half of the video branch's"),
    metric=f"Outcome accuracy on {CATEGORY} instructions, paired difference; higher is better.",
    rule=(
        "Holds where the intervals of the gain and of the specific gain lie above 0, fails where one lies below it; "
        "undecided where neither arm is ever right."
    ),
    test=_adds_spatial,
    limits=(
        "Both arms train equally long on equally many of tinyworld's own pairs, whose categories are those that each "
        "branch yields; the branches' own pictures and mistakes are left out of the comparison."
    ),
)
