"""Measures frame-pair mining against the truth about held-out clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from editfoundry.data.index import read_fields, shard_paths
from editfoundry.data.rejections import read_rejections
from editfoundry.profiles import Profile
from editfoundry.sources.internvid import convert_internvid
from editfoundry.sources.internvid_filters import InternVidFilters
from editfoundry.synthesis.frame_pairs.config import FramePairConfig
from editfoundry.synthesis.frame_pairs.stage import mine_frame_pairs
from editfoundry.tinyworld.clips.truth import ClipTruth, read_truths
from editfoundry.tinyworld.clips.writing import TABLE, TRUTH, VIDEOS, write_clips

ClipKey = tuple[str, float]
"""Video id and start in seconds, as far as a table's milliseconds tell it."""


def measure_frame_pairs(
    folder: Path,
    num_clips: int,
    seed: int,
    config: FramePairConfig,
    profile: Profile,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write held-out clips into ``folder``, run the pipeline's own stages over them, and compare with the truth.

    Returns:
        ``hit_rate``: share of the good clips whose pair lies in the windows of one action; ``right_reason_rate``:
        share of the clips to be dropped that were dropped for the labelled reason; counts, also by kind of clip; and
        what every miss was taken for.
    """
    write_clips(folder / "world", num_clips, seed, "test", progress=progress)
    convert_internvid(
        folder / "world" / TABLE,
        folder / "world" / VIDEOS,
        folder / "clips",
        InternVidFilters(min_aesthetic_score=None),
    )
    mine_frame_pairs(folder / "clips", folder / "frame_pairs", config, profile, device)
    return score_frame_pairs(read_truths(folder / "world" / TRUTH), folder / "frame_pairs")


def score_frame_pairs(truths: list[ClipTruth], pairs: Path) -> dict[str, Any]:
    """Compare the pairs and the rejections of a folder with the truth; see `measure_frame_pairs`."""
    chosen = _chosen(pairs)
    dropped = {clip_key(r.row["video_id"], r.row["start"]): r.reason for r in read_rejections(pairs)}
    right: dict[str, list[bool]] = defaultdict(list)
    misses: list[dict[str, Any]] = []
    for truth in truths:
        key = clip_key(truth.video_id, truth.start)
        times, reason = chosen.get(key), dropped.get(key, "")
        if truth.reason:
            is_right = times is None and reason == truth.reason
        else:
            is_right = times is not None and truth.action_of(*times) is not None
        right[truth.kind].append(is_right)
        if not is_right:
            misses.append(
                {"kind": truth.kind, "video_id": truth.video_id, "start": truth.start, "took": times or reason}
            )
    good = [hit for kind, hits in right.items() for hit in hits if not _reason_of(truths, kind)]
    bad = [hit for kind, hits in right.items() for hit in hits if _reason_of(truths, kind)]
    return {
        "num_good": len(good),
        "hit_rate": _share(good),
        "num_to_drop": len(bad),
        "right_reason_rate": _share(bad),
        "by_kind": {kind: f"{sum(hits)} of {len(hits)}" for kind, hits in sorted(right.items())},
        "misses": misses,
    }


def _chosen(pairs: Path) -> dict[ClipKey, tuple[float, float]]:
    rows = (row for shard in shard_paths(pairs) for row in read_fields(shard))
    return {
        clip_key(row["source"].split(" ")[0], row["provenance"]["clip_start"]): (
            row["provenance"]["first_time"],
            row["provenance"]["last_time"],
        )
        for row in rows
    }


def clip_key(video_id: str, start: float) -> ClipKey:
    """Return what tells a clip of a table from the others."""
    return video_id, round(start, 2)


def _reason_of(truths: list[ClipTruth], kind: str) -> str:
    return next(truth.reason for truth in truths if truth.kind == kind)


def _share(hits: list[bool]) -> float | None:
    return round(sum(hits) / len(hits), 4) if hits else None
