"""The stage ``score``: triplet shards in, the same triplets with the scores that they lacked out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from editfoundry.curation.score_config import ScoreConfig
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import is_done, read_triplets, reused_result, write_triplets
from editfoundry.data.stage import StageResult, add_up
from editfoundry.errors import BadInputError
from editfoundry.judging import PROMPT_VERSION, JudgeConfig
from editfoundry.judging.missing_scores import Scorer
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import Profile

STAGE = "score"


def score(
    source: Path,
    output: Path,
    config: ScoreConfig,
    profile: Profile,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> StageResult:
    """Write each shard of ``source`` again, its triplets with their ids and scores and with the scores they lacked.

    A shard is there when it was made of the same triplets, parameters, models and prompts; the models are loaded when
    the first one is not. What the judge's answer cannot be read of is rejected with what it wrote.

    Args:
        source: folder of triplet shards, or one shard.
        output: folder of the scored shards.
        config: which scores.
        profile: names the role ``clip`` and, for the judge, ``vision_language_model``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with shards done and shards in all.

    Raises:
        BadInputError: ``source`` holds no shard or a damaged one, or ``output`` something else.
        MissingModelError: a model is not on this machine.
    """
    shards = shards_of(source)
    if source.resolve() == output.resolve():
        raise BadInputError(f"{output}: is the input too; give another folder")
    roles = ("clip",) if config.judge is None else ("clip", "vision_language_model")
    identity = [PROMPT_VERSION, *(model_identity(profile, role) for role in roles)]
    claim_output(output, STAGE)
    remove_other_shards(output, {path.stem for path in shards})
    scorer: Scorer | None = None
    results = []
    for number, shard in enumerate(shards, start=1):
        target = output / shard.name
        digest = input_hash(index_path(shard), config, identity)
        if is_done(target, digest):
            results.append(reused_result(target))
        else:
            scorer = scorer or _load(profile, device, config)
            rejected: list[RejectedRow] = []
            scored = _scored(scorer, shard, config.records_per_batch, rejected)
            results.append(write_triplets(target, scored, rejected, digest))
        if progress is not None:
            progress(number, len(shards))
    return add_up(results)


def _scored(scorer: Scorer, shard: Path, batch_size: int, rejected: list[RejectedRow]) -> Iterator[Triplet]:
    triplets = read_triplets(shard)
    while batch := list(islice(triplets, batch_size)):
        yield from scorer.add_scores(batch, rejected)


def _load(profile: Profile, device: str, config: ScoreConfig) -> Scorer:
    runtime = choose_runtime(device)
    judge = None if config.judge is None else load_vision_language_model(profile, runtime)
    return Scorer(clip=load_clip(profile, runtime), judge=judge, judge_config=config.judge or JudgeConfig())
