"""The curated data set, split for training, validation and test."""

import dagster as dg

from dagster_project.defs.resources import Foundry
from dagster_project.metadata import OWNERS, counts, thumbnails
from editfoundry import lineage
from editfoundry.data.shards import count_triplets
from editfoundry.data.split_leaks import split_folders


@dg.asset(group_name="dataset", owners=OWNERS, kinds={"webdataset"}, deps=["editworld_text"])
def dataset(foundry: Foundry) -> dg.MaterializeResult:
    """Triplets that pass the CLIP thresholds, without duplicates, in three splits that share nothing."""
    result = lineage.dataset(foundry.params, foundry.folder)
    splits = split_folders(foundry.paths.dataset)
    return dg.MaterializeResult(
        metadata={
            **counts(result),
            **{f"num_{name}": count_triplets(folder) for name, folder in splits.items()},
            "folder": dg.MetadataValue.path(foundry.paths.dataset),
            "thumbnails": thumbnails(splits["train"]),
        }
    )
