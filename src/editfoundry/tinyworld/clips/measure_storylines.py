"""Measures the video branch's instructions against the truth about held-out clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.data.index import read_fields, shard_paths
from editfoundry.data.rejections import count_by_reason, read_rejections
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_video import synthesize_video
from editfoundry.synthesis.storyline.config import VideoBranchConfig
from editfoundry.tinyworld.clips.measure import clip_key
from editfoundry.tinyworld.clips.truth import ActionTruth, ClipTruth, read_truths
from editfoundry.tinyworld.clips.writing import TRUTH


def measure_storylines(
    folder: Path, config: VideoBranchConfig, profile: Profile, device: str = "auto"
) -> dict[str, Any]:
    """Make triplets of the frame pairs that `measure.measure_frame_pairs` left in ``folder``; compare with the truth.

    Returns:
        Shares of the triplets whose category, instruction and captions are those of the action that the pair shows;
        a pair that shows none has nothing right. Counts; rejections by reason.
    """
    triplets = folder / "editworld_video"
    synthesize_video(folder / "frame_pairs", triplets, config, profile, device)
    return score_storylines(read_truths(folder / "world" / TRUTH), triplets)


def score_storylines(truths: list[ClipTruth], triplets: Path) -> dict[str, Any]:
    """Compare a folder of triplets with the truth; see `measure_storylines`."""
    by_clip = {clip_key(truth.video_id, truth.start): truth for truth in truths}
    rows = [row for shard in shard_paths(triplets) for row in read_fields(shard)]
    shown = [(row, _action(row, by_clip)) for row in rows]
    return {
        "num_triplets": len(rows),
        "category_right": _share([action is not None and row["category"] == action.category for row, action in shown]),
        "instruction_true": _share(
            [action is not None and row["instruction"] in action.wordings for row, action in shown]
        ),
        "input_caption_right": _share(
            [action is not None and row["input_caption"] == action.input_caption for row, action in shown]
        ),
        "output_caption_right": _share(
            [action is not None and row["output_caption"] == action.output_caption for row, action in shown]
        ),
        "rejected": count_by_reason(read_rejections(triplets)),
    }


def _action(row: dict[str, Any], by_clip: dict[tuple[str, float], ClipTruth]) -> ActionTruth | None:
    facts = row["provenance"]
    truth = by_clip[clip_key(row["source"].split(" ")[0], facts["clip_start"])]
    return truth.action_of(facts["first_time"], facts["last_time"])


def _share(hits: list[bool]) -> float | None:
    return round(sum(hits) / len(hits), 4) if hits else None
