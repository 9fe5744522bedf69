"""The stage ``rehearsal``: plain edits of tinyworld, or triplets that a person has, scored like all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.record import Triplet
from editfoundry.data.shards import count_triplets, read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.judging import JudgeConfig
from editfoundry.judging.missing_scores import TripletScorer
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.rehearsal.config import RehearsalConfig
from editfoundry.tinyworld.edits import Edit, sample_plain_edit
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.true_triplet import true_triplet
from editfoundry.tinyworld.wrong_outcomes import shows

RECIPE = "rehearsal"
_SCORED_AT_ONCE = 64


@dataclass(frozen=True)
class RehearsalStage(ShardStage[Path | range, TripletScorer, Triplet]):
    """Triplets of plain edits; a shard's source is a shard of triplets, or the numbers of tinyworld's edits."""

    source: Path | None
    """Folder of triplet shards; None for tinyworld's edits."""
    config: RehearsalConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _identity(self) -> list[str]:
        return list(model_identity(self.profile, "clip"))

    def shards(self) -> list[Shard[Path | range]]:
        """Return the folder's shards, or tinyworld's edits in parts; one empty part where there are none."""
        if self.source is not None:
            return [Shard(path.stem, path, count_triplets(path)) for path in shards_of(self.source)]
        count, size = self.config.num_pairs, self.config.pairs_per_shard
        parts = [range(start, min(start + size, count)) for start in range(0, count, size)] or [range(0)]
        return [Shard(f"{number:05}", part, len(part)) for number, part in enumerate(parts)]

    def digest(self, shard: Shard[Path | range], target: Path) -> str:
        """Hash the triplets' index, or what draws the edits; and the CLIP that scores them."""
        if isinstance(shard.source, Path):
            return input_hash(index_path(shard.source), RECIPE, self._identity)
        return input_hash(RECIPE, self.config.seed, shard.source.start, shard.source.stop, self._identity)

    def setup(self) -> TripletScorer:
        """Load CLIP."""
        clip = load_clip(self.profile, choose_runtime(self.device))
        return TripletScorer(clip=clip, judge=None, judge_config=JudgeConfig())

    def process(
        self, models: TripletScorer, shard: Shard[Path | range], target: Path, notes: ShardNotes
    ) -> Iterator[Triplet]:
        """Yield the pairs with the CLIP scores that curation asks for."""
        pairs = self._pairs(shard.source)
        while batch := list(islice(pairs, _SCORED_AT_ONCE)):
            yield from models.add_scores(batch, notes.rejected)

    def _pairs(self, source: Path | range) -> Iterator[Triplet]:
        if isinstance(source, Path):
            yield from (replace(triplet, recipe=RECIPE) for triplet in read_triplets(source))
            return
        for number in source:
            yield replace(true_triplet(_edit(self.config.seed, number)), recipe=RECIPE)


def rehearse(
    source: Path | None,
    output: Path,
    config: RehearsalConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make the shards of pairs that are not there yet.

    Args:
        source: folder of triplet shards to take; None for tinyworld's edits.
        output: folder of triplets.
        config: how many of tinyworld's edits are drawn.
        profile: names the role ``clip``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with pairs done and pairs in all.
        only: a shard to work on alone.
        replace: whether pairs of another source may be replaced.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
        MissingModelError: CLIP is not on this machine.
    """
    stage = RehearsalStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)


def _edit(seed: int, number: int) -> Edit:
    """Draw a plain edit of the training split that can be seen."""
    random = random_stream("rehearsal", seed, number)
    while True:
        edit = sample_plain_edit(random, "train")
        if shows(edit) and not is_held_out(edit.after):
            return edit
