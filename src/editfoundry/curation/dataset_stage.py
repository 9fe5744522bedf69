"""The stage ``dataset``: triplets of every recipe, filtered, deduplicated, split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import refuse
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.profiles import load_profile


def run_dataset(request: StageRequest) -> StageResult:
    """Curate one or several folders of triplet shards into a data set.

    Raises:
        BadInputError: a folder holds no shard, nothing is left, or the output holds something else.
    """
    from editfoundry.curation.curate import curate

    return curate(request.sources, request.output, request.params.dataset, request.progress)


def check_dataset(request: StageRequest) -> None:
    """Raise BadInputError where a threshold is of another CLIP: no picture and its caption reach it by the profile's.

    A CLIP whose usual cosines the profile does not tell is taken on trust.
    """
    config: CurationConfig = request.params.dataset
    profile = load_profile(request.params.profile)
    usual = profile.models["clip"].caption_similarity if "clip" in profile.models else None
    if usual is None:
        return
    lowest: dict[str, Mapping[str, float]] = {"thresholds": vars(config.thresholds)}
    lowest |= {f"recipe_thresholds.{recipe}": values for recipe, values in config.recipe_thresholds.items()}
    refuse(
        [
            f"{place}.{name} is {values[name]}, but pictures and their captions have {usual[0]} to {usual[1]} by "
            f"{profile.model('clip')}: the threshold is another CLIP's and would drop everything"
            for place, values in lowest.items()
            for name in ("clip_input", "clip_output")
            if values.get(name, -1) > usual[1]
        ]
    )


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
        check=check_dataset,
        commands=("curate {sources} {output}",),
        kinds=("webdataset",),
    )
