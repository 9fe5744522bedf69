"""Edit triplets, one asset for each recipe."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import histograms, shares, thumbnails
from dagster_project.stage_asset import GPU_POOL, StageConfig, StageRun, materialize_stage, stage_options


@dg.asset(**stage_options("triplets", kinds={"pytorch", "webdataset"}, pool=GPU_POOL, deps=["quadruples"]))
def editworld_text(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Input image, instruction, output image: painted, masked by keyword attention, inpainted, best of N by CLIP."""
    return materialize_stage(context, config, foundry, dvc, show=show_triplets)


@dg.asset(**stage_options("triplets", kinds={"webdataset"}, pool=GPU_POOL, deps=["clips"]))
def frame_pairs(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Before and after of what happens in each clip: sharp, of one place, with no cut between."""
    return materialize_stage(context, config, foundry, dvc, show=_show_pairs)


@dg.asset(**stage_options("triplets", kinds={"pytorch", "webdataset"}, pool=GPU_POOL, deps=["clips", "frame_pairs"]))
def editworld_video(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """First frame, instruction, last frame: clips described, and the descriptions turned into instructions."""
    return materialize_stage(context, config, foundry, dvc, show=show_triplets)


def _show_pairs(run: StageRun) -> Mapping[str, Any]:
    from editfoundry.data.shards import read_fields

    measures = histograms(row["scores"] for row in read_fields(run.folder))
    return {"thumbnails": thumbnails(run.folder), "measures": measures}


def show_triplets(run: StageRun) -> Mapping[str, Any]:
    """Return pictures, categories and score histograms of a folder of triplet shards."""
    from editfoundry.data.shards import read_fields

    return {
        "thumbnails": thumbnails(run.folder),
        "categories": shares(row["category"] for row in read_fields(run.folder)),
        "scores": histograms(row["scores"] for row in read_fields(run.folder)),
    }
