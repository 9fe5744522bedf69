"""Compares reports: paired differences where the items are the same, and a plain statement where they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.evaluation.metrics.all_metrics import METRICS
from editfoundry.evaluation.metrics.metric import AGAINST
from editfoundry.evaluation.reports.inlined_pictures import ShownItem, edited_picture, input_picture, truth_pictures
from editfoundry.evaluation.reports.metric_text import column_title, metric_title
from editfoundry.evaluation.reports.read_run import Measured, read_measured
from editfoundry.evaluation.reports.report_tables import Row, Table, mean_cell, paired_table
from editfoundry.evaluation.reports.run_results import ScoredItem
from editfoundry.evaluation.reports.run_summary import no_interval, paired
from editfoundry.evaluation.reports.shown_samples import all_items, draw_items, first_of_each_row

_NEED_REFERENCE = frozenset(metric.name for metric in METRICS if "reference" in metric.needs)
NUM_SHOWN = 8
"""Figures of a benchmark, at most: one item of each row."""


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
    """On what the differences rest."""
    warnings: Sequence[str]
    """What was left out of the differences or makes them mean less, and why there are none."""
    pairs: Sequence[Pair]
    tables: Sequence[Table]
    """Paired differences, one table for each metric."""
    shown: Sequence[ShownItem]
    """Drawn by the seed from the items that all reports with pictures have."""
    num_items: int
    """How many items those are."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two or more reports beside each other."""

    warnings: Sequence[str]
    benchmarks: Sequence[BenchmarkComparison]

    def to_dict(self) -> dict[str, Any]:
        """Return statements and differences as JSON values."""
        return {
            "warnings": list(self.warnings),
            "benchmarks": {
                one.benchmark: {
                    "statements": list(one.statements),
                    "warnings": list(one.warnings),
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
        warnings=_benchmark_warnings(by_benchmark),
        benchmarks=[_compare(name, same, seed) for name, same in by_benchmark.items()],
    )


def _named_apart(reports: Sequence[tuple[Path, Measured]]) -> list[Measured]:
    places = defaultdict(set)
    for path, report in reports:
        places[report.label].add(path)
    return [replace(r, label=str(path)) if len(places[r.label]) > 1 else r for path, r in reports]


def _benchmark_warnings(by_benchmark: Mapping[str, Sequence[Measured]]) -> list[str]:
    alone = [(name, same[0].label) for name, same in by_benchmark.items() if len(same) == 1]
    if not alone:
        return []
    named = "; ".join(f"{name} is in {label} alone" for name, label in alone)
    return [f"The benchmarks differ: {named}. Figures of different benchmarks are not comparable; none are subtracted."]


@dataclass
class _Told:
    """What there is to say while reports are compared; what is true of several pairs is said once."""

    _statements: dict[str, list[str]] = field(default_factory=dict)
    _warnings: dict[str, list[str]] = field(default_factory=dict)

    def state(self, pair: str, text: str) -> None:
        """Say of a pair on what its difference rests."""
        self._statements.setdefault(text, []).append(pair)

    def warn(self, text: str, pair: str = "") -> None:
        """Say what makes differences mean less, of one pair or of the whole comparison."""
        self._warnings.setdefault(text, []).extend([pair] if pair else [])

    @property
    def statements(self) -> list[str]:
        """Each statement behind the pairs it is about."""
        return [f"{'; '.join(pairs)}: {text}" for text, pairs in self._statements.items()]

    @property
    def warnings(self) -> list[str]:
        """Each warning behind the pairs it is about, if it is about any."""
        return [f"{'; '.join(pairs)}: {text}" if pairs else text for text, pairs in self._warnings.items()]


def _compare(benchmark: str, reports: Sequence[Measured], seed: int) -> BenchmarkComparison:
    first, *others = reports
    told = _Told()
    pairs: list[Pair] = []
    facts: dict[str, Mapping[str, Any]] = {}
    for other in others:
        metrics = _common_metrics(first, other, told)
        facts |= {metric: first.summary["metrics"][metric] for metric in metrics}
        pairs += _pairs(first, other, metrics, seed, told)
    columns = [f"{pair.after} − {pair.before}" for pair in pairs]
    differences = [pair.differences for pair in pairs]
    tables = [
        paired_table(column_title(metric, facts[metric]), metric, facts[metric], columns, differences)
        for metric in first.summary["metrics"]
        if pairs and metric in facts
    ]
    shown, num_items = _shown(reports, seed)
    return BenchmarkComparison(
        benchmark=benchmark,
        means=_means(reports),
        statements=told.statements,
        warnings=told.warnings,
        pairs=pairs,
        tables=tables,
        shown=shown,
        num_items=num_items,
    )


def _means(reports: Sequence[Measured]) -> Table:
    arms = [(report, editor) for report in reports for editor in report.summary["editors"]]
    facts: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        facts = {**report.summary["metrics"], **facts}
    known = [metric for report in reports for metric in report.summary["metrics"]]
    rows = [
        Row(
            label=column_title(metric, facts[metric]),
            cells=tuple(
                mean_cell(facts[metric], report.summary[editor]["overall"].get(metric, no_interval()))
                for report, editor in arms
            ),
        )
        for metric in dict.fromkeys(known)
    ]
    return Table(title="Means", columns=tuple(_arm(r, e) for r, e in arms), rows=tuple(rows))


def _common_metrics(first: Measured, other: Measured, told: _Told) -> list[str]:
    """Return the metrics that both measured in the same way; say which they measured apart."""
    common = []
    scored = _scored(first) & _scored(other)
    for metric in (name for name in first.summary["metrics"] if name in scored):
        apart = _measured_apart(metric, first, other)
        if apart is None:
            common.append(metric)
            continue
        title = metric_title(metric, first.summary["metrics"][metric])
        told.warn(
            f"{title} was measured {apart[0]} in {first.label} and {apart[1]} in {other.label}: not comparable, and "
            "not subtracted."
        )
    return common


def _measured_apart(metric: str, first: Measured, other: Measured) -> tuple[str, str] | None:
    """Return by what two reports measured a metric, where it is not by the same; what a report does not say may be."""
    ours, theirs = (report.summary["metrics"][metric] for report in (first, other))
    facts = [(ours.get(key), theirs.get(key), f"with {key} ") for key in ("model", "preprocessing")]
    if metric in _NEED_REFERENCE:
        mine, its = (AGAINST.get(_reference(report)) for report in (first, other))
        facts.append((mine, its, ""))
    found = ((f"{how}{mine}", its) for mine, its, how in facts if mine and its and mine != its)
    return next(found, None)


def _reference(report: Measured) -> str:
    return "" if report.run is None else report.run.benchmark.get("reference") or ""


def _scored(report: Measured) -> set[str]:
    parts = [report.summary[editor]["overall"] for editor in report.summary["editors"]]
    return {metric for part in parts for metric, interval in part.items() if interval["n"]}


def _pairs(first: Measured, other: Measured, metrics: Sequence[str], seed: int, told: _Told) -> list[Pair]:
    if first.run is None or other.run is None:
        means_only = first.label if first.run is None else other.label
        told.warn(f"{means_only} has means alone and no items: nothing to pair, so no differences.")
        return []
    pairs = []
    for before, after in _editor_pairs(list(first.run.items), list(other.run.items)):
        ours, theirs = first.run.items[before], other.run.items[after]
        same = same_items(ours, theirs)
        _tell_of_items(told, _arm(first, before), _arm(other, after), ours, theirs, same)
        if same:
            differences = paired({n: ours[n] for n in same}, {n: theirs[n] for n in same}, metrics, seed)
            pairs.append(Pair(before=_arm(first, before), after=_arm(other, after), differences=differences))
    return pairs


def _editor_pairs(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """Return each later editor with its namesake, or with every earlier one where it has none."""
    return [(b, a) for a in after for b in ([a] if a in before else before)]


def same_items(before: Mapping[str, ScoredItem], after: Mapping[str, ScoredItem]) -> list[str]:
    """Return the ids under which both asked for the same: pictures, texts and seed by their hash.

    Where a report is of before the hash was noted, row and instruction must be the same.
    """
    return [name for name in before if name in after and _asks_the_same(before[name], after[name])]


def _asks_the_same(before: ScoredItem, after: ScoredItem) -> bool:
    if before.asked is not None and after.asked is not None:
        return before.asked == after.asked
    return (before.row, before.instruction) == (after.row, after.instruction)


def _tell_of_items(
    told: _Told,
    before: str,
    after: str,
    ours: Mapping[str, ScoredItem],
    theirs: Mapping[str, ScoredItem],
    same: Sequence[str],
) -> None:
    pair = f"{after} against {before}"
    if any(items[name].asked is None for items in (ours, theirs) for name in same):
        told.warn(
            "a report is of before pictures, captions and seeds were noted by their hash. Items are taken to be the "
            "same by id, category and instruction alone; evaluate anew to be sure.",
            pair,
        )
    if len(same) == len(ours) == len(theirs):
        told.state(pair, f"all {len(same)} items are the same.")
        return
    counts = f"{len(ours)} items in one and {len(theirs)} in the other"
    num_changed = len(set(ours) & set(theirs)) - len(same)
    changed = f" {num_changed} more share an id and ask for something else: other pictures, texts or noise."
    verdict = (
        f"{len(same)} items are the same ({counts}); differences are over those."
        if same
        else f"no item is the same ({counts}), so there is no difference to give."
    )
    told.warn(verdict + (changed if num_changed else ""), pair)


def _shown(reports: Sequence[Measured], seed: int) -> tuple[list[ShownItem], int]:
    """Return figures of items that all runs have, every editor of every run beside the others."""
    runs = [(report.label, report.run) for report in reports if report.run is not None]
    if not runs:
        return [], 0
    _, first = runs[0]
    common = {name for name in all_items(first)}
    for _, run in runs[1:]:
        common &= set(same_items(all_items(first), all_items(run)))
    drawn = [item for item in draw_items(first, seed) if item.id in common]
    figures = []
    for item in first_of_each_row(drawn)[:NUM_SHOWN]:
        edits = [
            edited_picture(run, editor, item.id, title=f"{label}: {editor}")
            for label, run in runs
            for editor in run.editors
        ]
        if all(edit.uri is None for edit in edits):
            continue
        images = [input_picture(first, item), *edits, *truth_pictures(first, item)]
        figures.append(
            ShownItem(
                id=item.id, anchor=f"{first.name}-{item.id}", row=item.row, instruction=item.instruction, images=images
            )
        )
    return figures, len(common)


def _arm(report: Measured, editor: str) -> str:
    return f"{report.label}: {editor}"
