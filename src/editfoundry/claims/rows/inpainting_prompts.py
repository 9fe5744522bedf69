"""Imagen Editor (Wang et al. 2023): which masks random masking hurts most, and which attributes are painted best."""

from __future__ import annotations

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.inpainters import masking_arms
from editfoundry.claims.scores import ArmScores
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.benchmarks.item import Benchmark
from editfoundry.evaluation.bootstrap import Interval, group_difference
from editfoundry.evaluation.metrics.asked_attributes import attribute_metric
from editfoundry.evaluation.reports.run_results import RIGHT
from editfoundry.tinyworld.editbench.hole_sampling import SMALL_MASK

EASY, HARD = ("colour", "size"), ("shape", "count")
"""Attributes that the paper found better and worse painted; tinyworld has no materials, and its shapes are states."""
SMALL = "small"
_SPECIFIC = "The same of what is specific: by the own instruction minus by another's"
_BY_ANOTHER = "The same by another item's instruction"


def _small_masks(bench: Workbench) -> Finding:
    benchmark, random, named = masking_arms(bench)
    is_small = np.array([item.parts["mask"] == SMALL for item in benchmark.items])
    groups, seed = _holes(benchmark), bench.config.seed

    def more_in_small(gains: np.ndarray) -> Interval:
        known = ~np.isnan(gains)
        return group_difference(gains[known], is_small[known], groups[known], seed=seed)

    effect = more_in_small(named.of(RIGHT) - random.of(RIGHT))
    specific = more_in_small(named.specific(RIGHT) - random.specific(RIGHT))
    return Finding(
        effect=effect,
        verdict=all_of([is_above(effect), is_above(specific)]),
        controls=(
            Detail(label=_BY_ANOTHER, interval=more_in_small(named.of_another(RIGHT) - random.of_another(RIGHT))),
        ),
        details=(
            Detail(label=_SPECIFIC, interval=specific),
            *(
                level(f"Right in {size} masks, {name}", arm.of(RIGHT)[chosen], seed)
                for size, chosen in ((SMALL, is_small), ("larger", ~is_small))
                for name, arm in (("random", random), ("object", named))
            ),
        ),
        note=in_doubt("Difference of gains", effect),
    )


def _attributes(bench: Workbench) -> Finding:
    benchmark, _, named = masking_arms(bench)
    groups, seed = _holes(benchmark), bench.config.seed
    own, specific, by_another = (
        _easy_over_hard(values, groups, seed) for values in (_rights(named), _specific(named), _by_another(named))
    )
    return Finding(
        effect=own,
        verdict=all_of([is_above(own), is_above(specific)]),
        controls=(Detail(label=_BY_ANOTHER, interval=by_another),),
        details=(
            Detail(label=_SPECIFIC, interval=specific),
            *(level(f"Right {name}", values, seed) for name, values in _rights(named).items()),
            *(level(f"Right {name}, by another's", values, seed) for name, values in _by_another(named).items()),
        ),
        note=in_doubt("Difference", own),
    )


def _rights(arm: ArmScores) -> dict[str, np.ndarray]:
    """Return attribute -> ``(N,)``, NaN where a prompt does not ask for it; of those that any prompt asks for."""
    return {name: arm.of(metric) for name in (*EASY, *HARD) if (metric := attribute_metric(name)) in arm.values}


def _by_another(arm: ArmScores) -> dict[str, np.ndarray]:
    return {name: arm.of_another(attribute_metric(name)) for name in _rights(arm)}


def _specific(arm: ArmScores) -> dict[str, np.ndarray]:
    return {name: arm.specific(attribute_metric(name)) for name in _rights(arm)}


def _easy_over_hard(rights: dict[str, np.ndarray], groups: np.ndarray, seed: int) -> Interval:
    """Return by how much more of the easy attributes is right than of the hard ones, over all that was asked for."""
    values = np.concatenate([np.empty(0), *rights.values()])
    is_easy = np.concatenate([np.empty(0, dtype=bool), *(np.full(len(groups), name in EASY) for name in rights)])
    holes, known = np.tile(groups, len(rights)), ~np.isnan(values)
    if not known.any():
        return Interval(None, None, None, 0)
    return group_difference(values[known], is_easy[known], holes[known], seed=seed)


def _holes(benchmark: Benchmark) -> np.ndarray:
    """Return the number of each item's hole: prompts about one hole are drawn together."""
    return np.unique([item.group for item in benchmark.items], return_inverse=True)[1]


SMALL_MASKS_SUFFER = Claim(
    name="imagen-small-masks",
    paper="Imagen Editor",
    sentence="Small masks suffer most from training on random masks.",
    arms=("random masks", "object masks and their unions with random ones"),
    metric=(
        "What object masking gains in small masks, less what it gains in larger ones: outcome accuracy on tinyworld's "
        "EditBench, share of holes in which everything the prompt asks for is right. Holes are drawn anew."
    ),
    rule="Holds where the intervals of the difference and of what is specific in it lie above 0, fails where one lies "
    "at or below it.",
    test=_small_masks,
    limits=f"The arms of imagen-object-masking. A small mask covers less than {100 * SMALL_MASK:.0f} % of its picture.",
)
ATTRIBUTES_DIFFER = Claim(
    name="imagen-attributes",
    paper="Imagen Editor",
    sentence="Inpainters paint colour and size as asked more often than shape and count.",
    arms=("shape and count", "colour and size"),
    metric=(
        "Share of what prompts ask for that is right, by attribute, of the inpainter that was trained on object masks; "
        "difference over all that was asked for. Holes are drawn anew."
    ),
    rule="Holds where the intervals of the difference and of what is specific in it lie above 0, fails where one lies "
    "at or below it.",
    test=_attributes,
    limits="EditBench's colours, materials and sizes against its counts and shapes, judged by people. tinyworld has no "
    "materials, its shapes are states of things, and none of its prompts asks for letters.",
)
