"""Training went somewhere."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.rounding import rounded
from editfoundry.lineage.stages import STAGES

DIVERGED = 1.5
"""A loss that ends so many times as high as it began has learnt nothing that is worth evaluating."""
FALLS = "The mean loss of the last fifth of the run is below that of the first fifth; a warning unless it diverged."


def loss_is_finite(asset: str) -> dg.AssetChecksDefinition:
    """Return the blocking check that every recorded loss of a training is a number."""

    @dg.asset_check(asset=asset, name="loss_is_finite", description="Every recorded loss is a number.", blocking=True)
    def check(foundry: Foundry) -> dg.AssetCheckResult:
        losses = _losses(getattr(foundry.paths, asset))
        bad = [step for step, loss in losses if not math.isfinite(loss)]
        return dg.AssetCheckResult(
            passed=bool(losses) and not bad,
            description=f"first at step {bad[0]}" if bad else None,
            metadata={"num_points": len(losses), "num_not_finite": len(bad)},
        )

    return check


def loss_falls(asset: str) -> dg.AssetChecksDefinition:
    """Return the check that a training's loss fell; it blocks where it diverged, and warns otherwise."""

    @dg.asset_check(asset=asset, name="loss_falls", description=FALLS, blocking=True)
    def check(foundry: Foundry) -> dg.AssetCheckResult:
        first, last = ends([loss for _, loss in _losses(getattr(foundry.paths, asset))])
        diverged = last > DIVERGED * first
        return dg.AssetCheckResult(
            passed=last < first,
            severity=dg.AssetCheckSeverity.ERROR if diverged else dg.AssetCheckSeverity.WARN,
            metadata=rounded({"first_fifth": first, "last_fifth": last}),
        )

    return check


def ends(losses: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the first and of the last fifth of a curve (at least one point); NaN for an empty one."""
    if not losses:
        return math.nan, math.nan
    size = max(1, len(losses) // 5)
    return sum(losses[:size]) / size, sum(losses[-size:]) / size


def _losses(checkpoint: Path) -> list[tuple[int, float]]:
    training = json.loads((checkpoint / "training.json").read_text())
    return [(int(step), float(loss)) for step, loss in training["loss_curve"]]


@dg.definitions
def checkpoint_checks() -> dg.Definitions:
    """Make both checks of every checkpoint."""
    names = [stage.name for stage in STAGES if stage.group == "checkpoints"]
    return dg.Definitions(asset_checks=[make(name) for name in names for make in (loss_is_finite, loss_falls)])
