"""The stage ``frame_pairs``: clip shards in, shards of image pairs without an instruction yet out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Clip, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import count_rows, read_rows, table_paths
from editfoundry.errors import Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.identity import IdentityJudge, identity_roles, load_identity
from editfoundry.synthesis.frame_pairs.mining import FramePair, mine_clip

STAGE = "frame_pairs"
RECIPE = "frame-pairs"
_WITHOUT_EFFECT = ("decoding_threads",)


@dataclass(frozen=True)
class FramePairStage(ShardStage[Path, IdentityJudge, Triplet]):
    """Pairs of frames mined from clips."""

    source: Path
    """Folder of clip shards."""
    config: FramePairConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = STAGE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.config).items() if name not in _WITHOUT_EFFECT}

    @cached_property
    def _identity(self) -> list[list[str]]:
        return [model_identity(self.profile, role) for role in identity_roles(self.profile)]

    def shards(self) -> list[Shard[Path]]:
        """Return the clip shards."""
        return [Shard(path.stem, path, count_rows(path)) for path in table_paths(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the clips, the parameters and the models."""
        return input_hash(shard.source, STAGE, self._parameters, self._identity)

    def setup(self) -> IdentityJudge:
        """Load what tells whether two frames show the same things."""
        return load_identity(self.profile, choose_runtime(self.device))

    def process(self, models: IdentityJudge, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield the pair of each clip that has one."""
        for clip in read_rows(shard.source, Clip):
            video = shard.source.parent / clip.video
            try:
                pair = mine_clip(video, clip.start, clip.end, self.config, models)
            except Rejection as error:
                notes.rejected.append(RejectedRow(clip.id, error.reason, error.detail, asdict(clip)))
                continue
            provenance = {
                **models.provenance,
                "frame_pairs": self._parameters,
                "video": os.path.relpath(video, target.parent),
                "clip_start": clip.start,
                "clip_end": clip.end,
                "clip_caption": clip.caption,
                "fingerprint": clip.fingerprint,
            }
            yield _triplet(clip, pair, provenance)


def mine_frame_pairs(
    source: Path,
    output: Path,
    config: FramePairConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make a shard of pairs of each shard of clips that has none yet; clips without a pair are rejected by reason.

    A pair is a triplet whose instruction is still empty: first frame, last frame, video and times as its source, and
    all measures among its scores.

    Args:
        source: folder of clip shards.
        output: folder of the pairs.
        config: how pairs are chosen.
        profile: names the role ``clip``, and ``dino`` where there is one.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with clips done and clips in all.
        only: a shard to work on alone.
        replace: whether pairs of other clips may be replaced.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
        MissingModelError: a model is not on this machine.
    """
    stage = FramePairStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)


def _triplet(clip: Clip, pair: FramePair, provenance: dict[str, Any]) -> Triplet:
    times = {"first_time": round(pair.first_time, 4), "last_time": round(pair.last_time, 4)}
    return Triplet(
        instruction="",
        input_image=pair.first,
        output_image=pair.last if pair.last.size == pair.first.size else pair.last.resize(pair.first.size),
        recipe=RECIPE,
        source=f"{clip.video_id} {pair.first_time:.3f} {pair.last_time:.3f}",
        provenance={**provenance, **times},
        scores=pair.measures,
    )
