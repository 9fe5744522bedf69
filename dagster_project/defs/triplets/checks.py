"""Triplets are there with both their pictures, and every quadruple and clip read is accounted for."""

import dagster as dg

from dagster_project.counts_check import counts_add_up
from dagster_project.defs.resources import Foundry

triplets_add_up = counts_add_up(
    "editworld_text",
    "triplets_add_up",
    "Quadruples read (and triplets derived) = triplets kept + rejected, and at least one was kept.",
)
frame_pairs_add_up = counts_add_up(
    "frame_pairs",
    "frame_pairs_add_up",
    "Clips read = pairs kept + clips rejected, and at least one pair was kept.",
)
video_triplets_add_up = counts_add_up(
    "editworld_video",
    "video_triplets_add_up",
    "Frame pairs read = triplets kept + pairs rejected, and at least one was kept.",
)


def no_image_missing(asset: str, name: str, description: str) -> dg.AssetChecksDefinition:
    """Return the blocking check that a folder's triplets have both their pictures."""

    @dg.asset_check(asset=asset, name=name, description=description, blocking=True)
    def check(foundry: Foundry) -> dg.AssetCheckResult:
        from editfoundry.data.missing_images import find_missing_images

        missing = find_missing_images(getattr(foundry.paths, asset))
        return dg.AssetCheckResult(passed=not missing, description="; ".join(missing[:3]) or None)

    return check


no_image_is_missing = no_image_missing(
    "editworld_text",
    "no_image_is_missing",
    "Every triplet's input and output picture lies in its shard where the index has it.",
)
no_video_image_is_missing = no_image_missing(
    "editworld_video",
    "no_video_image_is_missing",
    "Every triplet's first and last frame lies in its shard where the index has it.",
)
