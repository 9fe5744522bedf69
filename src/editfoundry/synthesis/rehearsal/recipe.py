"""The recipe ``rehearsal``: pairs that keep what the base editor can, as a stage of the lineage."""

from __future__ import annotations

from dataclasses import replace

from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage, StageRequest
from editfoundry.pretrained.fitness import check_models
from editfoundry.profiles import load_profile
from editfoundry.sources.caption_stage import TINYWORLD
from editfoundry.synthesis.rehearsal.config import RehearsalConfig

RECIPE = "rehearsal"


def run_rehearsal(request: StageRequest) -> StageResult:
    """Draw tinyworld's plain edits, or take the triplets that the parameters name.

    Raises:
        BadInputError: what is named is not there or holds no shard, or the output holds something else.
    """
    from editfoundry.synthesis.rehearsal.stage import rehearse

    check_rehearsal(request)
    config: RehearsalConfig = request.params.rehearsal
    source = None if config.pairs in ("", TINYWORLD) else request.root / config.pairs
    drawn = config if config.pairs else replace(config, num_pairs=0)
    return rehearse(
        source,
        request.output,
        drawn,
        load_profile(request.params.profile),
        request.params.device,
        request.progress,
        request.only,
        request.replace,
    )


def check_rehearsal(request: StageRequest) -> None:
    """Raise BadInputError where the folder of pairs is not there, or there is no CLIP to score them."""
    config: RehearsalConfig = request.params.rehearsal
    if config.pairs not in ("", TINYWORLD) and not (request.root / config.pairs).is_dir():
        raise BadInputError(f"rehearsal.pairs is {config.pairs}, but there is no such folder of triplet shards")
    check_models(load_profile(request.params.profile), ("clip",))


REHEARSAL = Stage(
    name="rehearsal",
    group="triplets",
    output="data/triplets/rehearsal",
    doing="taking plain edits, so that they are not unlearned",
    description="Pairs of what the base editor can already, mixed in so that fine-tuning does not unlearn it.",
    config=RehearsalConfig,
    run=run_rehearsal,
    check=check_rehearsal,
    commands=("sources rehearsal {output}",),
    loads_models=True,
    kinds=("pytorch", "webdataset"),
    recipe=RECIPE,
    branch="rehearsal",
)
