"""EditWorld's Table 2 and its companions as plain rows and cells, which HTML and Markdown then write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from editfoundry.evaluation.reports.metric_text import (
    MISSING,
    column_title,
    mean_text,
    metric_title,
    range_text,
    value_text,
    verdict_css,
)
from editfoundry.evaluation.reports.published import Published
from editfoundry.evaluation.reports.run_summary import no_interval

MAX_EDITORS_ALL_PAIRS = 3
"""Up to so many editors each is compared with each; more are compared with the first."""
ALL = "All"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure."""

    text: str
    range: str = ""
    """Its 95 % interval."""
    n: int | None = None
    """Edits behind it; None where the figure is no mean."""
    css: str = ""
    """``better``, ``worse`` or ``unclear`` of a difference; ``paper`` of a published figure."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table."""

    label: str
    cells: tuple[Cell, ...]
    kind: str = "category"
    """``all``, ``branch``, ``category``, ``turn``; or ``part``, of a further division such as EditBench's."""
    note: str = ""
    """Why the row has no figures."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    num_published: int = 0
    """Columns at the end that are a paper's."""
    notes: Sequence[str] = field(default_factory=tuple)
    column_notes: Mapping[str, str] = field(default_factory=dict)
    """Column -> what a reader must know of its editor."""


def overview_table(summary: Mapping[str, Any]) -> Table:
    """Return every metric's mean over the whole benchmark, one column for each editor."""
    rows = []
    for metric, facts in summary["metrics"].items():
        cells = [mean_cell(facts, summary[e]["overall"].get(metric, no_interval())) for e in summary["editors"]]
        note = facts.get("missing") or bounds_text(summary, metric)
        rows.append(Row(label=column_title(metric, facts), cells=tuple(cells), note=note))
    return Table(title="Whole benchmark", columns=tuple(summary["editors"]), rows=tuple(rows))


def bounds_text(summary: Mapping[str, Any], metric: str) -> str:
    """Return what doing nothing and the true outcome score by a metric; nothing where that was not measured."""
    facts, bounds = summary["metrics"][metric], summary.get("bounds") or {}
    titles = {"input": "doing nothing", "truth": "the true outcome"}
    parts = [f"{titles[b]} {value_text(facts, bounds[b][metric])}" for b in titles if metric in bounds.get(b, {})]
    return ", ".join(parts)


def metric_table(summary: Mapping[str, Any], metric: str, published: Published | None = None) -> Table:
    """Return one metric in the layout of EditWorld's Table 2: category x editor, a paper's columns at the end."""
    editors = summary["editors"]
    facts = summary["metrics"][metric]
    theirs = {} if published is None else published.metrics.get(metric, {})
    columns = published.columns if published is not None and theirs else ()
    rows = []
    known = set()
    for kind, name, label in _parts([summary[editor] for editor in editors]):
        known.add(name)
        own = [mean_cell(facts, _part(summary[editor], kind, name).get(metric, no_interval())) for editor in editors]
        paper = [Cell(text=value_text(facts, value), css="paper") for value in theirs.get(name, (None,) * len(columns))]
        rows.append(Row(label=label, kind=kind, cells=(*own, *paper)))
    # The paper's rows stand there also where our copy of the benchmark names no categories.
    for name in [row for row in theirs if row not in known]:
        paper = [Cell(text=value_text(facts, value), css="paper") for value in theirs[name]]
        rows.append(Row(label=name, cells=(*(Cell(text=MISSING, n=0) for _ in editors), *paper)))
    return Table(
        title=column_title(metric, facts),
        columns=(*editors, *columns),
        rows=tuple(rows),
        num_published=len(columns),
    )


def difference_table(summary: Mapping[str, Any], metric: str) -> Table | None:
    """Return one metric's paired differences between editors; None with a single editor."""
    pairs = shown_pairs(summary["editors"])
    if not pairs:
        return None
    columns = [f"{after} − {before}" for before, after in pairs]
    differences = [summary["paired"][f"{after} - {before}"] for before, after in pairs]
    return paired_table("Paired differences", metric, summary["metrics"][metric], columns, differences)


def paired_table(
    title: str, metric: str, facts: Mapping[str, Any], columns: Sequence[str], differences: Sequence[Mapping[str, Any]]
) -> Table:
    """Return one metric's paired differences, one column for each; ``differences`` as ``paired`` returns them."""
    rows = [
        Row(
            label=label,
            kind=kind,
            cells=tuple(difference_cell(facts, _part(d, kind, name).get(metric, no_interval())) for d in differences),
        )
        for kind, name, label in _parts(differences)
    ]
    return Table(title=title, columns=tuple(columns), rows=tuple(rows))


def difference_cell(facts: Mapping[str, Any], interval: Mapping[str, Any]) -> Cell:
    """Return the cell of a paired difference."""
    return Cell(
        text=value_text(facts, interval["value"], signed=True),
        range=range_text(facts, interval, signed=True),
        n=interval["n"],
        css=verdict_css(interval, facts),
    )


def shown_pairs(editors: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs (before, after) that reports show; summary.json has all."""
    pairs = list(combinations(editors, 2))
    return pairs if len(editors) <= MAX_EDITORS_ALL_PAIRS else [pair for pair in pairs if pair[0] == editors[0]]


def published_table(published: Published, metric: str, facts: Mapping[str, Any]) -> Table:
    """Return a paper's own table of one metric."""
    rows = [
        Row(label=row, cells=tuple(Cell(text=value_text(facts, v), css="paper") for v in values))
        for row, values in published.metrics[metric].items()
    ]
    return Table(
        title=f"{published.paper}, {published.where}: {metric_title(metric, facts)}",
        columns=published.columns,
        rows=tuple(rows),
        num_published=len(published.columns),
    )


def mean_cell(facts: Mapping[str, Any], interval: Mapping[str, Any]) -> Cell:
    """Return the cell of a mean."""
    return Cell(text=mean_text(facts, interval), range=range_text(facts, interval), n=interval["n"])


def _parts(scores: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and label of every part that any of the scores has."""
    yield "all", ALL, ALL
    for kind, key in (("branch", "by_branch"), ("category", "by_category"), ("turn", "by_turn"), ("part", "by_part")):
        for name in dict.fromkeys(name for score in scores for name in score.get(key, {})):
            label = f"turn {int(name) + 1}" if kind == "turn" else f"{name} branch" if kind == "branch" else name
            yield kind, name, label


def _part(scores: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = scores["overall"] if kind == "all" else scores.get(f"by_{kind}", {}).get(name, {})
    return part
