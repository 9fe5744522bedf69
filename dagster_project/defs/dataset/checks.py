"""The data set is whole, and no split has seen another's records."""

import dagster as dg

from dagster_project.counts_check import recorded_counts
from dagster_project.defs.resources import Foundry
from editfoundry.data.shards import count_triplets
from editfoundry.data.split_leaks import find_leaks, split_folders


@dg.asset_check(asset="dataset", name="splits_share_nothing", blocking=True)
def splits_share_nothing(foundry: Foundry) -> dg.AssetCheckResult:
    """No triplet, no input picture and no quadruple is in two splits."""
    leaks = find_leaks(foundry.paths.dataset)
    shown = [dg.TableRecord({"what": k.what, "value": k.value, "splits": " ".join(k.splits)}) for k in leaks[:20]]
    return dg.AssetCheckResult(
        passed=not leaks,
        description=f"{len(leaks)} shared by two splits or more" if leaks else None,
        metadata={"num_leaks": len(leaks), **({"leaks": dg.MetadataValue.table(shown)} if shown else {})},
    )


@dg.asset_check(asset="dataset", name="splits_add_up", blocking=True)
def splits_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """The splits together hold what was kept, and there is something to train on."""
    sizes = {name: count_triplets(folder) for name, folder in split_folders(foundry.paths.dataset).items()}
    recorded = recorded_counts(context.instance, "dataset").get("num_out")
    return dg.AssetCheckResult(
        passed=sizes.get("train", 0) > 0 and sum(sizes.values()) == recorded,
        metadata={"sizes": sizes, "recorded": recorded if recorded is not None else "never materialized here"},
    )
