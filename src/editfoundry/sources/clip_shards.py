"""Shards of clips: one Parquet table each, with its rejections beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.record import Clip
from editfoundry.data.rejections import (
    RejectedRow,
    count_by_reason,
    read_rejections,
    rejections_path,
    write_rejections,
)
from editfoundry.data.stage import StageResult
from editfoundry.data.tables import read_rows, stored_metadata, table_is_done, write_rows

_SHARD_NAME = re.compile(r"(\d{5,})(\.rejected)?\.parquet")


@dataclass(frozen=True)
class ReusedClips:
    """A shard that was there."""

    clips: list[Clip]
    result: StageResult


def shard_path(output: Path, number: int) -> Path:
    """Return where a shard lies."""
    return output / f"{number:05d}.parquet"


def store_clips(
    path: Path, clips: Sequence[Clip], rejected: Sequence[RejectedRow], digest: str, num_derived: int = 0
) -> StageResult:
    """Write a shard; it comes after its rejections, so that once it is there it is done."""
    counts = write_rejections(rejections_path(path), rejected)
    write_rows(path, clips, Clip, digest, {"num_rejected": str(len(rejected)), "num_derived": str(num_derived)})
    num_in = len(clips) + len(rejected) - num_derived
    return StageResult(num_in=num_in, num_out=len(clips), rejected=counts, num_derived=num_derived)


def reused_clips(path: Path, digest: str) -> ReusedClips | None:
    """Return a shard made with this hash, its rejections still complete; None where there is none."""
    if not table_is_done(path, digest):
        return None
    counts = count_by_reason(read_rejections(rejections_path(path)))
    stored = stored_metadata(path)
    if str(sum(counts.values())) != stored.get("num_rejected"):
        return None
    clips = list(read_rows(path, Clip))
    num_derived = int(stored.get("num_derived", "0"))
    result = StageResult(
        num_in=len(clips) + sum(counts.values()) - num_derived, num_out=len(clips), rejected=counts,
        num_derived=num_derived, num_shards_reused=1,
    )  # fmt: skip
    return ReusedClips(clips, result)


def remove_shards_from(output: Path, num_shards: int) -> None:
    """Remove what an earlier run with other parameters left beyond this run's last shard."""
    for path in output.iterdir():
        match = _SHARD_NAME.fullmatch(path.name)
        if match and int(match[1]) >= num_shards:
            path.unlink()
