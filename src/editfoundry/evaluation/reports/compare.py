"""Compares reports: paired differences where the items are the same, and a plain statement where they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.evaluation.reports.metric_text import better_when, metric_title, ordered_metrics
from editfoundry.evaluation.reports.reading import Measured, read_measured
from editfoundry.evaluation.reports.run import ScoredItem
from editfoundry.evaluation.reports.summary import no_interval, paired
from editfoundry.evaluation.reports.tables import Row, Table, mean_cell, paired_table


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One editor of a report against one of another, over the items that both edited."""

    before: str
    after: str
    """``REPORT: EDITOR``."""
    differences: Mapping[str, Any]
    """As `paired` returns them: ``after - before``."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkComparison:
    """What the reports say of one benchmark."""

    benchmark: str
    means: Table
    """Every report's editors side by side."""
    statements: Sequence[str]
    """On what the differences rest, and why there are none."""
    pairs: Sequence[Pair]
    tables: Sequence[Table]
    """Paired differences, one table for each metric."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two or more reports beside each other."""

    statements: Sequence[str]
    benchmarks: Sequence[BenchmarkComparison]

    def to_dict(self) -> dict[str, Any]:
        """Return statements and differences as JSON values."""
        return {
            "statements": list(self.statements),
            "benchmarks": {
                one.benchmark: {
                    "statements": list(one.statements),
                    "paired": {f"{pair.after} - {pair.before}": pair.differences for pair in one.pairs},
                }
                for one in self.benchmarks
            },
        }


def compare_reports(paths: Sequence[Path], seed: int = 0) -> Comparison:
    """Compare reports: later ones with the first that has the same benchmark.

    Args:
        paths: two or more, each as `read_measured` takes it.
        seed: of the resampling.

    Raises:
        BadInputError: fewer than two reports, or one that cannot be read.
    """
    if len(paths) < 2:
        raise BadInputError("a comparison needs two reports or more")
    reports = _named_apart([(path, one) for path in paths for one in read_measured(path, seed)])
    by_benchmark: defaultdict[str, list[Measured]] = defaultdict(list)
    for report in reports:
        by_benchmark[report.benchmark].append(report)
    return Comparison(
        statements=_benchmark_statements(by_benchmark),
        benchmarks=[_compare(name, same, seed) for name, same in by_benchmark.items()],
    )


def _named_apart(reports: Sequence[tuple[Path, Measured]]) -> list[Measured]:
    places = defaultdict(set)
    for path, report in reports:
        places[report.label].add(path)
    return [replace(r, label=str(path)) if len(places[r.label]) > 1 else r for path, r in reports]


def _benchmark_statements(by_benchmark: Mapping[str, Sequence[Measured]]) -> list[str]:
    alone = [(name, same[0].label) for name, same in by_benchmark.items() if len(same) == 1]
    if not alone:
        return []
    named = "; ".join(f"{name} is in {label} alone" for name, label in alone)
    return [f"The benchmarks differ: {named}. Figures of different benchmarks are not comparable; none are subtracted."]


def _compare(benchmark: str, reports: Sequence[Measured], seed: int) -> BenchmarkComparison:
    first, *others = reports
    statements: list[str] = []
    pairs: list[Pair] = []
    facts: dict[str, Mapping[str, Any]] = {}
    for other in others:
        metrics = _common_metrics(first, other, statements)
        facts |= {metric: first.summary["metrics"][metric] for metric in metrics}
        pairs += _pairs(first, other, metrics, seed, statements)
    columns = [f"{pair.after} − {pair.before}" for pair in pairs]
    differences = [pair.differences for pair in pairs]
    tables = [
        paired_table(f"{metric_title(metric, facts[metric])} {better_when(facts[metric])}".strip(), metric,
                     facts[metric], columns, differences)
        for metric in ordered_metrics(facts) if pairs
    ]  # fmt: skip
    return BenchmarkComparison(
        benchmark=benchmark, means=_means(reports), statements=statements, pairs=pairs, tables=tables
    )


def _means(reports: Sequence[Measured]) -> Table:
    arms = [(report, editor) for report in reports for editor in report.summary["editors"]]
    facts = {name: fact for report in reports for name, fact in report.summary["metrics"].items()}
    rows = [
        Row(label=f"{metric_title(metric, facts[metric])} {better_when(facts[metric])}".strip(), cells=tuple(
            mean_cell(metric, report.summary[editor]["overall"].get(metric, no_interval())) for report, editor in arms
        ))
        for metric in ordered_metrics(facts)
    ]  # fmt: skip
    return Table(title="Means", columns=tuple(_arm(r, e) for r, e in arms), rows=tuple(rows))


def _common_metrics(first: Measured, other: Measured, statements: list[str]) -> list[str]:
    """Return the metrics that both measured in the same way; say which they measured apart."""
    common = []
    for metric in ordered_metrics(_scored(first) & _scored(other)):
        ours, theirs = (report.summary["metrics"][metric] for report in (first, other))
        # A report that says nothing of its preprocessing is not thereby different.
        apart = [
            key for key in ("model", "preprocessing") if ours.get(key) and theirs.get(key) not in ("", None, ours[key])
        ]
        if not apart:
            common.append(metric)
        for key in apart[:1]:
            statements.append(
                f"{metric_title(metric, ours)} was measured with {key} {ours[key]} in {first.label} and {theirs[key]} "
                f"in {other.label}: not comparable, and not subtracted."
            )
    return common


def _scored(report: Measured) -> set[str]:
    parts = [report.summary[editor]["overall"] for editor in report.summary["editors"]]
    return {metric for part in parts for metric, interval in part.items() if interval["n"]}


def _pairs(first: Measured, other: Measured, metrics: Sequence[str], seed: int, statements: list[str]) -> list[Pair]:
    if first.items is None or other.items is None:
        means_only = first.label if first.items is None else other.label
        statements.append(f"{means_only} has means alone and no items: nothing to pair, so no differences.")
        return []
    pairs = []
    for before, after in _editor_pairs(list(first.items), list(other.items)):
        ours, theirs = _same_items(first.items[before], other.items[after])
        statements.append(_items_statement(_arm(first, before), _arm(other, after), first.items[before],
                                           other.items[after], len(ours)))  # fmt: skip
        if ours:
            pairs.append(Pair(before=_arm(first, before), after=_arm(other, after),
                              differences=paired(ours, theirs, metrics, seed)))  # fmt: skip
    return pairs


def _editor_pairs(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """Return each later editor with its namesake, or with every earlier one where it has none."""
    return [(b, a) for a in after for b in ([a] if a in before else before)]


def _same_items(
    before: Mapping[str, ScoredItem], after: Mapping[str, ScoredItem]
) -> tuple[dict[str, ScoredItem], dict[str, ScoredItem]]:
    """Return the items of one id that ask for the same: an id alone may have been given anew."""
    same = [i for i in before if i in after and _asks(before[i]) == _asks(after[i])]
    return {i: before[i] for i in same}, {i: after[i] for i in same}


def _asks(item: ScoredItem) -> tuple[str, str]:
    return item.row, item.instruction


def _items_statement(
    before: str, after: str, ours: Mapping[str, ScoredItem], theirs: Mapping[str, ScoredItem], num_same: int
) -> str:
    named = f"{after} against {before}"
    if num_same == len(ours) == len(theirs):
        return f"{named}: all {num_same} items are the same."
    counts = f"{len(ours)} items in one and {len(theirs)} in the other"
    num_changed = len(set(ours) & set(theirs)) - num_same
    changed = f" {num_changed} more share an id and ask for something else." if num_changed else ""
    if not num_same:
        return f"{named}: no item is the same ({counts}), so there is no difference to give.{changed}"
    return f"{named}: {num_same} items are the same ({counts}); differences are over those.{changed}"


def _arm(report: Measured, editor: str) -> str:
    return f"{report.label}: {editor}"
