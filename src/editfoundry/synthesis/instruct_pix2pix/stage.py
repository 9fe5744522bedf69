"""The stage ``instruct-pix2pix``: from caption pairs to pairs of pictures that CLIP finds right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.instruct_pix2pix.caption_pairs import CaptionPair, check_length
from editfoundry.synthesis.instruct_pix2pix.caption_parts import (
    CaptionPart,
    caption_parts,
    edit_captions,
    holds_captions_alone,
    read_part,
)
from editfoundry.synthesis.instruct_pix2pix.choosing import ScoredPair, choose_pairs
from editfoundry.synthesis.instruct_pix2pix.config import RECIPE, PairConfig
from editfoundry.synthesis.instruct_pix2pix.models import PairModels, load_pair_models

TWICE = "caption pair twice"


@dataclass(frozen=True)
class PairStage(ShardStage[CaptionPart, PairModels, Triplet]):
    """Triplets of caption pairs, or of tinyworld's captions with a true edit of each.

    Every candidate is a record: it comes out or is rejected with its scores, its seed and its reason. So is every
    caption pair that cannot be painted.
    """

    source: Path
    config: PairConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _identity(self) -> list[list[str]]:
        return [model_identity(self.profile, role) for role in self.config.roles]

    @cached_property
    def _are_captions(self) -> bool:
        return holds_captions_alone(self.source)

    def shards(self) -> list[Shard[CaptionPart]]:
        """Return the input's parts, as many of them as the number of caption pairs that is wanted takes."""
        found, wanted = [], self.config.num_caption_pairs
        for name, part in caption_parts(self.source, self.config.pairs_per_shard):
            count = max(0, min(part.count, wanted - part.first)) if wanted else part.count
            if count:
                found.append(Shard(name, part, count))
        return found

    def digest(self, shard: Shard[CaptionPart], target: Path) -> str:
        """Hash the rows, the parameters and the models."""
        return input_hash(shard.source.digest(), shard.source.first, shard.size, self.config, self._identity)

    def num_in(self, shard: Shard[CaptionPart]) -> int:
        """Return the number of caption pairs."""
        return shard.size

    def setup(self) -> PairModels:
        """Load the models that paint and choose."""
        return load_pair_models(self.profile, choose_runtime(self.device), self.config)

    def process(
        self, models: PairModels, shard: Shard[CaptionPart], target: Path, notes: ShardNotes
    ) -> Iterator[Triplet]:
        """Yield the pairs of pictures that are kept; the caption pairs of a batch are painted together."""
        pairs = self._usable(models, shard, notes)
        num_done = 0
        while batch := list(islice(pairs, self.config.pairs_per_batch)):
            with models.painting():
                painted = models.painter.paint(batch, self.config)
            chosen = choose_pairs(models.clip, batch, painted, self.config, models.judge)
            for pair, candidates in zip(batch, chosen, strict=True):
                notes.num_derived += len(candidates) - 1
                yield from self._kept(models, pair, candidates, notes)
            num_done += len(batch)
            notes.tell(num_done)

    def _usable(self, models: PairModels, shard: Shard[CaptionPart], notes: ShardNotes) -> Iterator[CaptionPair]:
        part, seen = shard.source, set()
        rows = edit_captions(part, self.config.seed) if self._are_captions else read_part(part)
        for number, found, row in islice(rows, shard.size):
            try:
                if isinstance(found, Rejection):
                    raise found
                check_length(models.painter.painter, found)
                if found.id in seen:
                    raise Rejection(TWICE, found.instruction)
                seen.add(found.id)
                yield found
            except Rejection as rejection:
                told = {**(row if isinstance(row, dict) else {}), "number": number}
                place = f"{part.path.name}:{number}"
                notes.rejected.append(RejectedRow(place, rejection.reason, rejection.detail, told))

    def _kept(
        self, models: PairModels, pair: CaptionPair, candidates: Sequence[ScoredPair], notes: ShardNotes
    ) -> Iterator[Triplet]:
        for candidate in candidates:
            if candidate.rejection is None:
                yield self._triplet(models, pair, candidate)
                continue
            row = {**pair.texts(), "source": pair.source, **_facts(pair, candidate), "scores": candidate.scores}
            reason, detail = candidate.rejection.reason, candidate.rejection.detail
            notes.rejected.append(RejectedRow(f"{pair.id}:{candidate.painted.seed}", reason, detail, row))

    def _triplet(self, models: PairModels, pair: CaptionPair, candidate: ScoredPair) -> Triplet:
        return Triplet(
            input_caption=pair.input_caption,
            instruction=pair.instruction,
            output_caption=pair.output_caption,
            input_image=candidate.painted.before,
            output_image=candidate.painted.after,
            category=pair.category,
            recipe=RECIPE,
            source=pair.source,
            provenance={**models.provenance, **_settings(self.config), **_facts(pair, candidate)},
            scores=candidate.scores,
        )


def _settings(config: PairConfig) -> dict[str, Any]:
    return {name: value for name, value in asdict(config).items() if value is not None}


def _facts(pair: CaptionPair, candidate: ScoredPair) -> dict[str, Any]:
    """Return what was drawn for a candidate, under the names of the released ``metadata.jsonl``."""
    painted = candidate.painted
    return {
        "number": pair.number,
        "candidate_seed": painted.seed,
        "p2p_threshold": round(painted.share, 6),
        "cfg_scale": round(painted.guidance_scale, 6),
    }


def synthesize_pairs(
    source: Path,
    output: Path,
    config: PairConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make what is missing of ``output``; models are loaded when the first shard is not there yet.

    Args:
        source: a JSONL of caption pairs, a folder of such or of Parquet tables of them, or tinyworld's captions.
        output: folder of triplet shards.
        config: how pairs are painted and chosen.
        profile: names the roles that ``config`` takes.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with caption pairs done and caption pairs in all.
        only: a shard to work on alone.
        replace: whether pairs of other captions may be replaced.

    Raises:
        BadInputError: ``source`` holds no captions, or ``output`` something else.
    """
    stage = PairStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)
