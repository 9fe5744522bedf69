"""Measures the video branch's instructions against the truth about held-out clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editfoundry.curation.curate import check_scores
from editfoundry.curation.curation_config import CurationConfig
from editfoundry.data.index import read_fields, shard_paths
from editfoundry.data.rejections import count_by_reason, read_rejections
from editfoundry.errors import Rejection
from editfoundry.pretraining.measure_mining import clip_key
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.editworld_video.stage import synthesize_video
from editfoundry.tinyworld.clips.truth import ActionTruth, ClipTruth, read_truths
from editfoundry.tinyworld.clips.writing import TRUTH

_MEASURES = ("category_right", "instruction_true", "input_caption_right", "output_caption_right")


def measure_storylines(
    folder: Path,
    config: VideoBranchConfig,
    profile: Profile,
    device: str = "auto",
    curation: CurationConfig | None = None,
) -> dict[str, Any]:
    """Make triplets of the frame pairs that `measure.measure_frame_pairs` left in ``folder``; compare with the truth.

    Returns:
        Shares of the triplets whose category, instruction and captions are those of the action that the pair shows;
        a pair that shows none has nothing right. The same of those whose scores pass ``curation``. Counts; rejections
        by reason.
    """
    triplets = folder / "editworld_video"
    synthesize_video(folder / "frame_pairs", triplets, config, profile, device)
    return score_storylines(read_truths(folder / "world" / TRUTH), triplets, curation)


def score_storylines(truths: list[ClipTruth], triplets: Path, curation: CurationConfig | None = None) -> dict[str, Any]:
    """Compare a folder of triplets with the truth; see `measure_storylines`."""
    by_clip = {clip_key(truth.video_id, truth.start): truth for truth in truths}
    rows = [row for shard in shard_paths(triplets) for row in read_fields(shard)]
    right = [_right(row, _action(row, by_clip)) for row in rows]
    found = {"num_triplets": len(rows), **_shares(right)}
    if curation is not None:
        kept = [facts for row, facts in zip(rows, right, strict=True) if _passes(row, curation)]
        found |= {"num_kept": len(kept), **{f"{name}_of_kept": share for name, share in _shares(kept).items()}}
    return {**found, "rejected": count_by_reason(read_rejections(triplets))}


def _right(row: dict[str, Any], action: ActionTruth | None) -> dict[str, bool]:
    if action is None:
        return dict.fromkeys(_MEASURES, False)
    return {
        "category_right": row["category"] == action.category,
        "instruction_true": row["instruction"] in action.wordings,
        "input_caption_right": row["input_caption"] == action.input_caption,
        "output_caption_right": row["output_caption"] == action.output_caption,
    }


def _passes(row: dict[str, Any], curation: CurationConfig) -> bool:
    try:
        check_scores(row, curation)
    except Rejection:
        return False
    return True


def _action(row: dict[str, Any], by_clip: dict[tuple[str, float], ClipTruth]) -> ActionTruth | None:
    facts = row["provenance"]
    truth = by_clip[clip_key(row["source"].split(" ")[0], facts["clip_start"])]
    return truth.action_of(facts["first_time"], facts["last_time"])


def _shares(right: list[dict[str, bool]]) -> dict[str, float | None]:
    return {name: round(sum(facts[name] for facts in right) / len(right), 4) if right else None for name in _MEASURES}
