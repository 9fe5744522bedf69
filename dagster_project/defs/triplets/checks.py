"""Every recipe's triplets are there with both their pictures, and every record read is accounted for."""

import dagster as dg

from dagster_project.counts_check import counts_add_up
from dagster_project.defs.resources import Foundry
from editfoundry.lineage.stages import STAGES

ADD_UP = "Records read (and triplets derived) = triplets kept + records rejected, and at least one triplet was kept."
WHOLE = "Every triplet's input and output picture lies in its shard where the index has it."
EVERY_TASK = "Every task of Emu Edit that was asked for has pairs, and none has more than half of them."
MAX_TASK_SHARE = 0.5
_NAMES = {
    "editworld_text": ("triplets_add_up", "no_image_is_missing"),
    "editworld_video": ("video_triplets_add_up", "no_video_image_is_missing"),
}
"""Names of the two checks that are older than recipes' common ones; instances remember checks by them."""


def no_image_missing(asset: str, name: str) -> dg.AssetChecksDefinition:
    """Return the blocking check that a folder's triplets have both their pictures."""

    @dg.asset_check(asset=asset, name=name, description=WHOLE, blocking=True)
    def check(foundry: Foundry) -> dg.AssetCheckResult:
        from editfoundry.data.missing_images import find_missing_images

        missing = find_missing_images(getattr(foundry.paths, asset))
        return dg.AssetCheckResult(passed=not missing, description="; ".join(missing[:3]) or None)

    return check


@dg.asset_check(asset="emu_edit_pairs", name="every_task_has_pairs", description=EVERY_TASK)
def every_task_has_pairs(foundry: Foundry) -> dg.AssetCheckResult:
    """Name the tasks that were asked for and have no pair, and the one that has too many."""
    from editfoundry.synthesis.emu_edit.kept_shares import shares_by_task

    found = {one.task: one.num_kept for one in shares_by_task(foundry.paths.emu_edit_pairs)}
    kept = dict.fromkeys(foundry.params.emu_edit_pairs.tasks, 0) | found
    empty = [task for task, count in kept.items() if not count]
    crowded = [task for task, count in kept.items() if count > MAX_TASK_SHARE * sum(kept.values())]
    problems = [*(f"{task}: no pair" for task in empty), *(f"{task}: most of all pairs" for task in crowded)]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(problems) or None,
        metadata={"kept": kept},
    )


@dg.definitions
def triplet_checks() -> dg.Definitions:
    """Make both checks of every recipe, and the counts' check of frame pairs and of triplets that are told anew."""
    checks = [
        counts_add_up(
            "frame_pairs",
            "frame_pairs_add_up",
            "Clips read = pairs kept + clips rejected, and at least one pair was kept.",
        ),
        counts_add_up(
            "expressive",
            "expressive_add_up",
            "Triplets read = triplets kept + triplets rejected, and at least one triplet was kept.",
        ),
    ]
    for stage in (stage for stage in STAGES if stage.recipe):
        add_up, whole = _NAMES.get(stage.name, (f"{stage.name}_add_up", f"{stage.name}_has_its_images"))
        checks += [counts_add_up(stage.name, add_up, ADD_UP), no_image_missing(stage.name, whole)]
    return dg.Definitions(asset_checks=[*checks, every_task_has_pairs])
