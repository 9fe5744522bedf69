"""The curated data set, split for training, validation and test."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import histograms, shares, thumbnails
from dagster_project.stage_asset import CPU_POOL, StageConfig, StageRun, materialize_stage, stage_options


@dg.asset(**stage_options("dataset", kinds={"webdataset"}, pool=CPU_POOL, deps=["editworld_text", "editworld_video"]))
def dataset(
    context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
) -> dg.MaterializeResult:
    """Triplets that pass the CLIP thresholds, without duplicates, in three splits that share nothing."""
    return materialize_stage(context, config, foundry, dvc, show=_show_dataset)


def _show_dataset(run: StageRun) -> Mapping[str, Any]:
    from editfoundry.data.shards import count_triplets, read_fields
    from editfoundry.data.split_leaks import split_folders

    splits = split_folders(run.folder)
    return {
        **{f"num_{name}": count_triplets(folder) for name, folder in splits.items()},
        "thumbnails": thumbnails(splits["train"]),
        "categories": shares(row["category"] for row in read_fields(splits["train"])),
        "scores": histograms(row["scores"] for row in read_fields(splits["train"])),
    }
