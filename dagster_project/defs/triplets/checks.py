"""Triplets are there, and every quadruple read is accounted for."""

import dagster as dg

from dagster_project.counts_check import check_counts, recorded_counts
from dagster_project.defs.resources import Foundry


@dg.asset_check(asset="editworld_text", name="triplets_add_up", blocking=True)
def triplets_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Quadruples read (and triplets derived) = triplets kept + rejected, and at least one was kept."""
    return check_counts(recorded_counts(context.instance, "editworld_text"), foundry.paths.editworld_text)
