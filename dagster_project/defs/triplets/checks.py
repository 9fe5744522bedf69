"""Every recipe's triplets are there with both their pictures, and every record read is accounted for."""

import dagster as dg

from dagster_project.counts_check import counts_add_up
from dagster_project.defs.resources import Foundry
from editfoundry.lineage.stages import STAGES

ADD_UP = "Records read (and triplets derived) = triplets kept + records rejected, and at least one triplet was kept."
WHOLE = "Every triplet's input and output picture lies in its shard where the index has it."
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


@dg.definitions
def triplet_checks() -> dg.Definitions:
    """Make both checks of every recipe, and the counts' check of frame pairs, which are not triplets yet."""
    checks = [
        counts_add_up(
            "frame_pairs",
            "frame_pairs_add_up",
            "Clips read = pairs kept + clips rejected, and at least one pair was kept.",
        )
    ]
    for stage in (stage for stage in STAGES if stage.recipe):
        add_up, whole = _NAMES.get(stage.name, (f"{stage.name}_add_up", f"{stage.name}_has_its_images"))
        checks += [counts_add_up(stage.name, add_up, ADD_UP), no_image_missing(stage.name, whole)]
    return dg.Definitions(asset_checks=checks)
