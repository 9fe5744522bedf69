"""Which edits a report shows: some drawn by the seed, and the best and worst by score, each told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from editfoundry.data.record import short_hash
from editfoundry.evaluation.reports.run_results import Run, ScoredItem, row_order

MAX_SHOWN = 24
"""Items drawn by the seed, in all, as long as each row gets one."""
MAX_SHOWN_PER_ROW = 4
NUM_EXTREMES = 3
"""Best edits of each editor, and as many worst ones."""


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
    return [item for row in rows for item in _spread_over_rules(by_row[row])[:count]]


def first_of_each_row(items: Sequence[ScoredItem]) -> list[ScoredItem]:
    """Return the first item of each row."""
    return list({item.row: item for item in reversed(items)}.values())[::-1]


def _spread_over_rules(items: Sequence[ScoredItem]) -> list[ScoredItem]:
    """Return the items, tinyworld's rules taking turns; others have no rule and stay in their order."""
    seen: defaultdict[str, int] = defaultdict(int)
    turns = []
    for item in items:
        turns.append(seen[item.rule])
        seen[item.rule] += bool(item.rule)
    return [items[place] for place in sorted(range(len(items)), key=turns.__getitem__)]


def ranking_metric(run: Run, scored: Sequence[str]) -> str | None:
    """Return the first scored metric that is not yes or no, which ranks nothing; None when there is none."""
    return next((metric for metric in scored if run.metrics[metric].get("unit") != "0 or 1"), None)


def best_and_worst(
    items: Mapping[str, ScoredItem], metric: str, higher_is_better: bool = True
) -> tuple[list[ScoredItem], list[ScoredItem]]:
    """Return an editor's best edits, best first, and its worst, worst first; no edit is in both."""
    scored = [item for item in items.values() if metric in item.scores]
    ranked = sorted(scored, key=lambda i: (-i.scores[metric] if higher_is_better else i.scores[metric], i.id))
    count = min(NUM_EXTREMES, len(ranked) // 2)
    return ranked[:count], ranked[len(ranked) - count :][::-1]
