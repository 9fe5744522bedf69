"""The check that every stage shares: what was counted is what lies on disk, and nothing got lost."""

from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.defs.resources import Foundry


def counts_add_up(asset: str, name: str, description: str) -> dg.AssetChecksDefinition:
    """Return the blocking check of a stage that its counts add up and are those on disk, see `check_counts`."""

    @dg.asset_check(asset=asset, name=name, description=description, blocking=True)
    def check(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
        return check_counts(recorded_counts(context.instance, asset), getattr(foundry.paths, asset))

    return check


def recorded_counts(instance: dg.DagsterInstance, asset: str) -> dict[str, Any]:
    """Return the metadata of an asset's latest materialization, as plain values; empty if there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    materialization = event.asset_materialization if event else None
    return {name: value.value for name, value in materialization.metadata.items()} if materialization else {}


def check_counts(recorded: dict[str, Any], folder: Path) -> dg.AssetCheckResult:
    """Compare the recorded counts with the rows on disk.

    Passes when something was kept, the counts add up (in + derived = out + rejected), and both the rows kept and the
    rows rejected, by reason, are those on disk.
    """
    from editfoundry.data.rejections import count_by_reason, read_rejections
    from editfoundry.data.tables import count_rows

    on_disk = {"num_out": count_rows(folder), "rejected_by_reason": count_by_reason(read_rejections(folder))}
    problems = []
    if on_disk["num_out"] == 0:
        problems.append("nothing was kept")
    if not recorded:
        problems.append("never materialized here")
    else:
        num_read = recorded["num_in"] + recorded["num_derived"]
        if num_read != recorded["num_out"] + recorded["num_rejected"]:
            problems.append(f"{num_read} read, {recorded['num_out']} + {recorded['num_rejected']} accounted for")
        problems += [
            f"{name}: {recorded[name]} recorded, {found} on disk"
            for name, found in on_disk.items()
            if recorded[name] != found
        ]
    return dg.AssetCheckResult(
        passed=not problems,
        description="; ".join(problems) or None,
        metadata={"on_disk": on_disk, "folder": str(folder)},
    )
