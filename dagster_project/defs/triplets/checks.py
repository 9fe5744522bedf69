"""Triplets are there with both their pictures, and every quadruple read is accounted for."""

from pathlib import Path

import dagster as dg

from dagster_project.counts_check import check_counts, recorded_counts
from dagster_project.defs.resources import Foundry


@dg.asset_check(asset="editworld_text", name="triplets_add_up", blocking=True)
def triplets_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Quadruples read (and triplets derived) = triplets kept + rejected, and at least one was kept."""
    return check_counts(recorded_counts(context.instance, "editworld_text"), foundry.paths.editworld_text)


@dg.asset_check(asset="editworld_text", name="no_image_is_missing", blocking=True)
def no_image_is_missing(foundry: Foundry) -> dg.AssetCheckResult:
    """Every triplet's input and output picture lies in its shard where the index has it."""
    return check_images(foundry.paths.editworld_text)


def check_images(folder: Path) -> dg.AssetCheckResult:
    """Look for both pictures of each triplet of a folder."""
    from editfoundry.data.missing_images import find_missing_images

    missing = find_missing_images(folder)
    return dg.AssetCheckResult(passed=not missing, description="; ".join(missing[:3]) or None)


@dg.asset_check(asset="frame_pairs", name="frame_pairs_add_up", blocking=True)
def frame_pairs_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Clips read = pairs kept + clips rejected, and at least one pair was kept."""
    return check_counts(recorded_counts(context.instance, "frame_pairs"), foundry.paths.frame_pairs)


@dg.asset_check(asset="editworld_video", name="video_triplets_add_up", blocking=True)
def video_triplets_add_up(context: dg.AssetCheckExecutionContext, foundry: Foundry) -> dg.AssetCheckResult:
    """Frame pairs read = triplets kept + pairs rejected, and at least one was kept."""
    return check_counts(recorded_counts(context.instance, "editworld_video"), foundry.paths.editworld_video)


@dg.asset_check(asset="editworld_video", name="no_video_image_is_missing", blocking=True)
def no_video_image_is_missing(foundry: Foundry) -> dg.AssetCheckResult:
    """Every triplet's first and last frame lies in its shard where the index has it."""
    return check_images(foundry.paths.editworld_video)
