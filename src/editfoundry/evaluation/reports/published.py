"""Figures that the papers publish, from one data file; shown beside ours only where the benchmark is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from editfoundry.data.record import WORLD_CATEGORIES

_RELATED = {"tinyworld": "EditWorld", "emu-edit": "Emu Edit"}
"""Beginning of a benchmark's name -> the paper whose task it asks for."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One table of a paper."""

    paper: str
    where: str
    """Which of the paper's tables."""
    benchmark: str
    """Our name of the benchmark that it was measured on."""
    num_items: int | None
    """Items of that benchmark; None where the paper's text does not say."""
    note: str
    columns: tuple[str, ...]
    """The paper's editors."""
    metrics: Mapping[str, Mapping[str, tuple[float, ...]]]
    """Metric -> row (``All``, ``text``, ``text: Long-Term``) -> one value for each column."""


@cache
def published_tables() -> tuple[Published, ...]:
    """Return every table of the data file."""
    text = resources.files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    return tuple(
        Published(
            paper=table["paper"],
            where=table["where"],
            benchmark=table["benchmark"],
            num_items=table["num_items"],
            note=table["note"],
            columns=tuple(table["columns"]),
            metrics={m: {row: tuple(v) for row, v in rows.items()} for m, rows in table["metrics"].items()},
        )
        for table in json.loads(text)
    )


def published_for(benchmark: str) -> Published | None:
    """Return the table that was measured on this very benchmark, or None."""
    return next((table for table in published_tables() if table.benchmark == benchmark), None)


def published_elsewhere(benchmark: str, categories: Sequence[str]) -> list[Published]:
    """Return the tables of the same task on another benchmark: for the reader's orientation, never for comparison."""
    papers = {paper for beginning, paper in _RELATED.items() if benchmark.startswith(beginning)}
    if set(categories) & set(WORLD_CATEGORIES):
        papers.add("EditWorld")
    return [table for table in published_tables() if table.paper in papers and table.benchmark != benchmark]
