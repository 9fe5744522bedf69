"""The stage ``frame_pairs``: clip shards in, shards of image pairs without an instruction yet out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from editfoundry.data.hashing import input_hash
from editfoundry.data.one_shard import chosen_shards
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Clip, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import is_done, reused_result, write_triplets
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.tables import read_rows, table_paths
from editfoundry.errors import BadInputError, Rejection
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.identity import IdentityJudge, identity_roles, load_identity
from editfoundry.synthesis.frame_pairs.mining import FramePair, mine_clip

STAGE = "frame_pairs"
RECIPE = "frame-pairs"
_WITHOUT_EFFECT = ("decoding_threads",)


def mine_frame_pairs(
    source: Path,
    output: Path,
    config: FramePairConfig,
    profile: Profile,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    only: str | None = None,
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
        progress: called with shards done and shards in all.
        only: a shard to work on alone.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
        MissingModelError: a model is not on this machine.
    """
    shards = chosen_shards(table_paths(source), only)
    if source.resolve() == output.resolve():
        raise BadInputError(f"{output}: is the input too; give another folder")
    claim_output(output, STAGE)
    if only is None:
        remove_other_shards(output, {path.stem for path in shards})
    parameters = {name: value for name, value in asdict(config).items() if name not in _WITHOUT_EFFECT}
    models = [model_identity(profile, role) for role in identity_roles(profile)]

    @lru_cache(maxsize=1)
    def identity() -> IdentityJudge:
        return load_identity(profile, choose_runtime(device))

    results = []
    for number, shard in enumerate(shards, start=1):
        target = output / f"{shard.stem}.tar"
        digest = input_hash(shard, STAGE, parameters, models)
        if is_done(target, digest):
            results.append(reused_result(target))
        else:
            rejected: list[RejectedRow] = []
            pairs = _pairs(read_rows(shard, Clip), shard.parent, output, config, parameters, identity(), rejected)
            results.append(write_triplets(target, pairs, rejected, digest))
        if progress is not None:
            progress(number, len(shards))
    return add_up(results)


def _pairs(
    clips: Iterable[Clip],
    folder: Path,
    output: Path,
    config: FramePairConfig,
    parameters: dict[str, Any],
    identity: IdentityJudge,
    rejected: list[RejectedRow],
) -> Iterator[Triplet]:
    for clip in clips:
        video = folder / clip.video
        try:
            pair = mine_clip(video, clip.start, clip.end, config, identity)
        except Rejection as error:
            rejected.append(RejectedRow(clip.id, error.reason, error.detail, asdict(clip)))
            continue
        provenance = {
            **identity.provenance, "frame_pairs": parameters, "video": os.path.relpath(video, output),
            "clip_start": clip.start, "clip_end": clip.end, "clip_caption": clip.caption,
            "fingerprint": clip.fingerprint,
        }  # fmt: skip
        yield _triplet(clip, pair, provenance)


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
