"""The data set is whole and balanced, was judged, and no split has seen another's records."""

from collections import Counter

import dagster as dg

from dagster_project.counts_check import recorded_counts
from dagster_project.defs.resources import Foundry
from dagster_project.metadata import table
from dagster_project.rounding import rounded

MAX_CATEGORY_SHARE = 0.6
"""More of the training split in one category, and the editor learns that category."""
MIN_CATEGORY_SHARE = 0.02
"""Below this, a category is as good as absent: a warning."""
PASS_RATES = (0.05, 0.98)
"""A judge that lets fewer or more triplets pass does not tell good from bad."""
LEAK_COLUMNS = {"what": "Kind of record.", "value": "Which one.", "splits": "In which it is."}
JUDGE_REASON = "judge"
"""What the reasons of triplets that the judge rejected hold."""


@dg.asset_check(asset="dataset", name="splits_share_nothing", blocking=True)
def splits_share_nothing(foundry: Foundry) -> dg.AssetCheckResult:
    """No triplet, no input picture and no quadruple is in two splits."""
    from editfoundry.data.split_leaks import find_leaks

    leaks = find_leaks(foundry.paths.dataset)
    shown = [{"what": k.what, "value": k.value, "splits": " ".join(k.splits)} for k in leaks[:20]]
    return dg.AssetCheckResult(
        passed=not leaks,
        description=f"{len(leaks)} shared by two splits or more" if leaks else None,
        metadata={"num_leaks": len(leaks), **({"leaks": table(shown, LEAK_COLUMNS)} if shown else {})},
    )


@dg.asset_check(asset="dataset", name="splits_add_up", blocking=True)
def splits_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """The splits together hold what was kept, and there is something to train on."""
    from editfoundry.data.shards import count_triplets
    from editfoundry.data.split_leaks import split_folders

    sizes = {name: count_triplets(folder) for name, folder in split_folders(foundry.paths.dataset).items()}
    recorded = recorded_counts(context.instance, "dataset").get("num_out")
    return dg.AssetCheckResult(
        passed=sizes.get("train", 0) > 0 and sum(sizes.values()) == recorded,
        metadata={"sizes": sizes, "recorded": recorded if recorded is not None else "never materialized here"},
    )


@dg.asset_check(asset="dataset", name="categories_are_balanced", blocking=True)
def categories_are_balanced(foundry: Foundry) -> dg.AssetCheckResult:
    """No category fills the training split; a world category that is all but absent is a warning."""
    from editfoundry.data.record import WORLD_CATEGORIES
    from editfoundry.data.shards import read_fields
    from editfoundry.data.split_leaks import split_folders

    sizes = Counter(row["category"] for row in read_fields(split_folders(foundry.paths.dataset)["train"]))
    shares = {name: sizes[name] / max(1, sizes.total()) for name in {*sizes, *WORLD_CATEGORIES}}
    largest = max(shares, key=lambda name: shares[name])
    rare = sorted(name for name, share in shares.items() if share < MIN_CATEGORY_SHARE)
    too_large = shares[largest] > MAX_CATEGORY_SHARE
    return dg.AssetCheckResult(
        passed=not too_large and not rare,
        severity=dg.AssetCheckSeverity.ERROR if too_large else dg.AssetCheckSeverity.WARN,
        description=f"{largest} has {shares[largest]:.0%}"
        if too_large
        else f"rare: {', '.join(rare)}"
        if rare
        else None,
        metadata=rounded({"shares": dict(sorted(shares.items()))}),
    )


@dg.asset_check(asset="dataset", name="judge_passes_some", blocking=True)
def judge_passes_some(foundry: Foundry) -> dg.AssetCheckResult:
    """The share of judged triplets that pass lies within bounds; without a judge, a warning says so."""
    from editfoundry.data.rejections import count_by_reason, read_rejections
    from editfoundry.data.shards import count_triplets
    from editfoundry.data.split_leaks import split_folders

    if foundry.params.dataset.judge is None:
        warn = dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(passed=False, severity=warn, description="no judge: dataset.judge is not set")
    num_kept = sum(count_triplets(folder) for folder in split_folders(foundry.paths.dataset).values())
    reasons = count_by_reason(read_rejections(foundry.paths.dataset))
    num_failed = sum(count for reason, count in reasons.items() if JUDGE_REASON in reason)
    pass_rate = num_kept / max(1, num_kept + num_failed)
    return dg.AssetCheckResult(
        passed=PASS_RATES[0] <= pass_rate <= PASS_RATES[1],
        description=f"{pass_rate:.1%} of the judged triplets pass",
        metadata=rounded({"pass_rate": pass_rate, "bounds": list(PASS_RATES)}),
    )


@dg.asset_check(asset="dataset", name="no_picture_is_missing", blocking=True)
def no_picture_is_missing(foundry: Foundry) -> dg.AssetCheckResult:
    """Every triplet's input and output picture lies in its shard, in every split."""
    from editfoundry.data.missing_images import find_missing_images
    from editfoundry.data.split_leaks import split_folders

    folders = split_folders(foundry.paths.dataset).values()
    missing = [line for folder in folders if any(folder.glob("*.tar")) for line in find_missing_images(folder)]
    return dg.AssetCheckResult(passed=not missing, description="; ".join(missing[:3]) or None)
