"""What a data set holds, as EditWorld's figure 3 shows it: branch x category, top keywords, and the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from editfoundry.data.index import index_rows, parse_json_column, shard_paths
from editfoundry.data.split_leaks import split_folders
from editfoundry.errors import BadInputError
from editfoundry.evaluation.cases import order_categories

NUM_KEYWORDS = 20
NUM_BINS = 20
_COLUMNS = ("category", "task", "recipe", "keywords", "scores")


@dataclass
class ScoreRange:
    """One score's spread, gathered row by row."""

    count: int = 0
    total: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    bins: np.ndarray = field(default_factory=lambda: np.zeros(NUM_BINS, dtype=np.int64))
    """Triplets in each of ``NUM_BINS`` equal parts of [low, high]."""

    def to_dict(self) -> dict[str, Any]:
        """Return count, mean, both ends and the histogram."""
        return {
            "n": self.count,
            "mean": self.total / self.count,
            "low": self.low,
            "high": self.high,
            "histogram": self.bins.tolist(),
        }


def dataset_statistics(folder: Path, branches: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Count a data set's triplets; only the index is read, one batch of rows in memory at a time.

    The indexes are read twice: the histograms' ends are known only after the first pass.

    Args:
        folder: of a data set with splits, or of shards.
        branches: recipe -> branch that its triplets are counted under; by default, and for others, the recipe itself.

    Returns:
        ``{"num_triplets", "splits", "branches": {branch: {category: n}}, "by_split": {split: {branch: {category: n}}},
        "tasks": {branch: {task: n}}, "num_with_keywords", "num_keywords", "keywords": [{"word", "n", "share"}],
        "scores": {name: {"n", "mean", "low", "high", "histogram"}}}``; a keyword's share is that of the triplets that
        have keywords, and triplets without a task are left out of ``tasks``.

    Raises:
        BadInputError: there is no shard, or an index is not whole.
    """
    shards, branches = _shards(folder), branches or {}
    cells: Counter[tuple[str, str, str]] = Counter()
    tasks: Counter[tuple[str, str, str]] = Counter()
    words: Counter[str] = Counter()
    scores: dict[str, ScoreRange] = {}
    num_with_keywords = 0
    for split, row in _rows(shards):
        branch = branches.get(row["recipe"], row["recipe"] or "unknown")
        cells[split, branch, row["category"] or "none"] += 1
        tasks[split, branch, row["task"]] += bool(row["task"])
        own = {word.strip().lower() for word in row["keywords"]} - {""}
        words.update(own)
        num_with_keywords += bool(own)
        for name, value in _scores(row):
            _widen(scores.setdefault(name, ScoreRange()), value)
    for _, row in _rows(shards):
        for name, value in _scores(row):
            _add_to_bin(scores[name], value)
    splits = [split for split in shards if any(cell[0] == split for cell in cells)]
    return {
        "num_triplets": cells.total(),
        "splits": {split: sum(n for cell, n in cells.items() if cell[0] == split) for split in splits},
        "branches": _crossed(cells, None),
        "by_split": {split: _crossed(cells, split) for split in splits},
        "tasks": _crossed(+tasks, None),
        "num_with_keywords": num_with_keywords,
        "num_keywords": len(words),
        "keywords": [
            {"word": word, "n": n, "share": n / num_with_keywords}
            for word, n in sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:NUM_KEYWORDS]
        ],
        "scores": {name: scores[name].to_dict() for name in sorted(scores)},
    }


def _shards(folder: Path) -> dict[str, list[Path]]:
    splits = {name: shard_paths(path) for name, path in split_folders(folder).items()}
    if not splits and shard_paths(folder):
        splits = {"all": shard_paths(folder)}
    if not splits:
        raise BadInputError(f"{folder}: neither a data set with splits nor a folder of shards; run editfoundry curate")
    return splits


def _rows(shards: Mapping[str, list[Path]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for split, tars in shards.items():
        for tar in tars:
            for row in index_rows(tar, _COLUMNS):
                yield split, row


def _scores(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in parse_json_column(row["scores"], "a row of an index", "scores").items():
        if isinstance(value, (int, float)):
            yield name, float(value)


def _widen(score: ScoreRange, value: float) -> None:
    score.count += 1
    score.total += value
    score.low, score.high = min(score.low, value), max(score.high, value)


def _add_to_bin(score: ScoreRange, value: float) -> None:
    width = score.high - score.low
    place = int((value - score.low) / width * NUM_BINS) if width > 0 else 0
    score.bins[min(place, NUM_BINS - 1)] += 1


def _crossed(cells: Mapping[tuple[str, str, str], int], split: str | None) -> dict[str, dict[str, int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for (own, branch, category), n in cells.items():
        if split in (None, own):
            counts[branch, category] += n
    branches = sorted({branch for branch, _ in counts})
    return {
        branch: {c: counts[branch, c] for c in order_categories(c for b, c in counts if b == branch)}
        for branch in branches
    }
