"""Which edits a report shows: some drawn by the seed, and the best and worst by score, each told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from editfoundry.data.record import short_hash
from editfoundry.evaluation.reports.run import Run, ScoredItem, row_order

MAX_SHOWN = 24
"""Items drawn by the seed, in all, as long as each row gets one."""
MAX_SHOWN_PER_ROW = 3
NUM_EXTREMES = 3
"""Best edits of each editor, and as many worst ones."""
RANKING_METRICS = (
    "clip_score", "clip_output", "mllm_probability", "clip_direction", "judge_semantic", "preservation_psnr",
    "clip_image", "psnr", "ssim", "lpips", "l1", "l2",
)  # fmt: skip
"""What best and worst are ranked by: the first of these that a run has. A metric of yes or no ranks nothing."""


def all_items(run: Run) -> dict[str, ScoredItem]:
    """Return one item for each id that any editor has, in the run's order."""
    merged: dict[str, ScoredItem] = {}
    for items in run.items.values():
        for item_id, item in items.items():
            merged.setdefault(item_id, item)
    return merged


def draw_items(run: Run, seed: int) -> list[ScoredItem]:
    """Draw items of every row by the seed and the id alone: no score, and no picture, has a say."""
    items = list(all_items(run).values())
    rows = row_order(items)
    count = max(1, min(MAX_SHOWN_PER_ROW, MAX_SHOWN // max(1, len(rows))))
    by_row: defaultdict[str, list[ScoredItem]] = defaultdict(list)
    for item in sorted(items, key=lambda item: short_hash("shown", str(seed), item.id)):
        by_row[item.row].append(item)
    return [item for row in rows for item in by_row[row][:count]]


def ranking_metric(scored: Sequence[str]) -> str | None:
    """Return what best and worst are ranked by; None when the run has no such metric."""
    return next((metric for metric in RANKING_METRICS if metric in scored), None)


def best_and_worst(
    items: Mapping[str, ScoredItem], metric: str, higher_is_better: bool = True
) -> tuple[list[ScoredItem], list[ScoredItem]]:
    """Return an editor's best edits, best first, and its worst, worst first; no edit is in both."""
    scored = [item for item in items.values() if metric in item.scores]
    ranked = sorted(scored, key=lambda i: (-i.scores[metric] if higher_is_better else i.scores[metric], i.id))
    count = min(NUM_EXTREMES, len(ranked) // 2)
    return ranked[:count], ranked[len(ranked) - count :][::-1]
