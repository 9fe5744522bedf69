"""Training went somewhere."""

import json
import math
from collections.abc import Sequence

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.rounding import rounded

DIVERGED = 1.5
"""A loss that ends so many times as high as it began has learnt nothing that is worth evaluating."""


@dg.asset_check(asset="editworld", name="loss_is_finite", blocking=True)
def loss_is_finite(foundry: Foundry) -> dg.AssetCheckResult:
    """Every recorded loss is a number."""
    losses = _losses(foundry)
    bad = [step for step, loss in losses if not math.isfinite(loss)]
    return dg.AssetCheckResult(
        passed=bool(losses) and not bad,
        description=f"first at step {bad[0]}" if bad else None,
        metadata={"num_points": len(losses), "num_not_finite": len(bad)},
    )


@dg.asset_check(asset="editworld", name="loss_falls", blocking=True)
def loss_falls(foundry: Foundry) -> dg.AssetCheckResult:
    """The mean loss of the last fifth of the run is below that of the first fifth; a warning unless it diverged."""
    first, last = ends([loss for _, loss in _losses(foundry)])
    diverged = last > DIVERGED * first
    return dg.AssetCheckResult(
        passed=last < first,
        severity=dg.AssetCheckSeverity.ERROR if diverged else dg.AssetCheckSeverity.WARN,
        metadata=rounded({"first_fifth": first, "last_fifth": last}),
    )


def ends(losses: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the first and of the last fifth of a curve (at least one point); NaN for an empty one."""
    if not losses:
        return math.nan, math.nan
    size = max(1, len(losses) // 5)
    return sum(losses[:size]) / size, sum(losses[-size:]) / size


def _losses(foundry: Foundry) -> list[tuple[int, float]]:
    training = json.loads((foundry.paths.editworld / "training.json").read_text())
    return [(int(step), float(loss)) for step, loss in training["loss_curve"]]
