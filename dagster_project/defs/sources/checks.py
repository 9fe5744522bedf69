"""Captions, quadruples and clips are there, and every row read is accounted for."""

import dagster as dg

from dagster_project.counts_check import check_counts, recorded_counts
from dagster_project.defs.resources import Foundry


@dg.asset_check(asset="captions", name="captions_add_up", blocking=True)
def captions_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Rows read = captions kept + rows rejected, and at least one caption was kept."""
    return check_counts(recorded_counts(context.instance, "captions"), foundry.paths.captions)


@dg.asset_check(asset="quadruples", name="quadruples_add_up", blocking=True)
def quadruples_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Captions read (and quadruples derived) = quadruples kept + rejected, and at least one was kept."""
    return check_counts(recorded_counts(context.instance, "quadruples"), foundry.paths.quadruples)


@dg.asset_check(asset="clips", name="clips_add_up", blocking=True)
def clips_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Rows read = clips kept + rows rejected, and at least one clip was kept."""
    return check_counts(recorded_counts(context.instance, "clips"), foundry.paths.clips)
