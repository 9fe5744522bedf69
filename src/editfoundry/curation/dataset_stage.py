"""The stage ``dataset``: triplets of every recipe, filtered, deduplicated, split."""

from __future__ import annotations

from collections.abc import Iterable

from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Stage, StageRequest


def run_dataset(request: StageRequest) -> StageResult:
    """Curate one or several folders of triplet shards into a data set.

    Raises:
        BadInputError: a folder holds no shard, nothing is left, or the output holds something else.
    """
    from editfoundry.curation.curate import curate

    return curate(request.sources, request.output, request.params.dataset, request.progress)


def dataset_stage(triplets: Iterable[Stage]) -> Stage:
    """Return the stage that makes a data set of the triplets of those stages; of duplicates the first one's is kept."""
    return Stage(
        name="dataset",
        group="dataset",
        output="data/dataset",
        inputs=tuple(stage.name for stage in triplets),
        doing="filtering, deduplicating, splitting",
        description="Triplets that pass the CLIP thresholds, without duplicates, in three splits that share nothing.",
        config=CurationConfig,
        run=run_dataset,
        commands=("curate {sources} {output}",),
        kinds=("webdataset",),
    )
