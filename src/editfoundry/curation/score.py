"""The stage ``score``: triplet shards in, the same triplets with the scores that they lacked out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar

from editfoundry.curation.score_config import ScoreConfig
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.record import Triplet
from editfoundry.data.shards import count_triplets, read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.judging import PROMPT_VERSION, JudgeConfig
from editfoundry.judging.judge_noise import with_noise
from editfoundry.judging.missing_scores import TripletScorer
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.endpoint_settings import endpoint_prices
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import JUDGE_SUFFIX, journal_path
from editfoundry.pretrained.judge_model import JUDGE_ROLE, load_judge_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile

STAGE = "score"


@dataclass(frozen=True)
class ScoreStage(ShardStage[Path, TripletScorer, Triplet]):
    """Triplets with the scores that they lacked."""

    source: Path
    """Folder of triplet shards, or one shard."""
    config: ScoreConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = STAGE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _identity(self) -> list[object]:
        roles = ("clip",) if self.config.judge is None else ("clip", JUDGE_ROLE)
        return [PROMPT_VERSION, *(model_identity(self.profile, role) for role in roles)]

    def shards(self) -> list[Shard[Path]]:
        """Return the triplet shards."""
        return [Shard(path.stem, path, count_triplets(path)) for path in shards_of(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the triplets' index, the parameters, the models and the prompts."""
        return input_hash(index_path(shard.source), self.config, self._identity)

    def setup(self) -> TripletScorer:
        """Load CLIP, and the judge if it is asked for."""
        runtime = choose_runtime(self.device)
        judge = None if self.config.judge is None else load_judge_model(self.profile, runtime)
        clip = load_clip(self.profile, runtime)
        return TripletScorer(clip=clip, judge=judge, judge_config=self.config.judge or JudgeConfig())

    def process(self, models: TripletScorer, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield a shard's triplets with all scores."""
        triplets, before = read_triplets(shard.source), models.totals()
        with models.remembering(target) as scorer:
            while batch := list(islice(triplets, self.config.records_per_batch)):
                yield from scorer.add_scores(batch, notes.rejected)
        grown = {name: value - before[name] for name, value in models.totals().items()}
        notes.totals |= {name: value for name, value in grown.items() if value}

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journal of the judge's answers."""
        return [journal_path(target, JUDGE_SUFFIX)]


def score(
    source: Path,
    output: Path,
    config: ScoreConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
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
        progress: called with triplets done and triplets in all.
        only: a shard to work on alone.
        replace: whether scored shards of other triplets may be replaced.

    Returns:
        Counts; in the totals, of the shards that were made now, an endpoint's requests, tokens and cost, and how much
        the scores of triplets that were judged twice differ.

    Raises:
        BadInputError: ``source`` holds no shard or a damaged one, or ``output`` something else.
        MissingModelError: a model is not on this machine.
        UnavailableError: the judge's endpoint left questions unanswered.
    """
    stage = ScoreStage(source, config, profile, device)
    result = run_stage(stage, output, only=only, progress=progress, replace=replace)
    totals = with_noise(result.totals)
    prices = None if config.judge is None else endpoint_prices(profile, JUDGE_ROLE)
    if prices is not None:
        cost = prices.cost(totals.get("prompt_tokens", 0), totals.get("completion_tokens", 0))
        totals["cost"] = round(cost, 6)
    return dataclasses.replace(result, totals=totals)
