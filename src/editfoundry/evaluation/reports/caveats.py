"""What a reader must know before trusting a report's figures, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from editfoundry.evaluation.benchmarks.item import count_repeated
from editfoundry.evaluation.reports.metric_text import metric_title, value_text
from editfoundry.evaluation.reports.published import Published
from editfoundry.evaluation.reports.run_results import Run, available_metrics

_TOLERANCE = 1e-5
"""Means nearer than this are the same: embeddings of one picture differ by rounding from batch to batch."""


def caveats(run: Run, summary: Mapping[str, Any], published: Published | None) -> list[str]:
    """Return everything that makes a figure mean less than it seems to, the weightiest first."""
    return [
        *_worse_than_nothing(run, summary),
        *_gaps(run),
        *_failures(summary),
        *_undefined(run, summary),
        *_unequal(run),
        *_missing_metrics(run),
        *_paper(run, published),
    ]


def _worse_than_nothing(run: Run, summary: Mapping[str, Any]) -> Iterator[str]:
    for metric, bound in (summary["bounds"].get("input") or {}).items():
        facts = run.metrics[metric]
        if not facts.get("has_bounds", True):
            continue
        means = {editor: summary[editor]["overall"][metric]["value"] for editor in summary["editors"]}
        known = {editor: mean for editor, mean in means.items() if mean is not None}
        sign = 1 if facts.get("higher_is_better") else -1
        below = {editor: mean for editor, mean in known.items() if sign * (mean - bound) < -_TOLERANCE}
        if not below:
            continue
        figures = ", ".join(f"{editor} ({value_text(facts, mean)})" for editor, mean in below.items())
        everyone = "every editor: " if len(below) == len(known) > 1 else ""
        nothing = f"doing nothing ({value_text(facts, bound)})"
        yield (
            f"By {metric_title(metric, facts)} {nothing} beats {everyone}{figures}. An untouched picture can fit the "
            "caption better than one that was edited well."
        )


def _undefined(run: Run, summary: Mapping[str, Any]) -> Iterator[str]:
    """Say of each metric once for how many items it is not defined, whichever editors that is of."""
    for metric in run.metrics:
        reasons: dict[str, set[str]] = {}
        for items in run.items.values():
            for item in items.values():
                if metric in item.undefined:
                    reasons.setdefault(item.undefined[metric], set()).add(item.id)
        for reason, ids in sorted(reasons.items()):
            yield (
                f"{metric_title(metric, run.metrics[metric])} is undefined for {len(ids)} of {summary['num_items']} "
                f"items, which are in none of its means: {reason}."
            )


def _gaps(run: Run) -> Iterator[str]:
    missing, extra = run.benchmark.get("missing") or (), run.benchmark.get("extra") or ()
    if missing:
        yield f"{_count(len(missing), 'entry', 'entries')} of the benchmark could not be asked for; see the list below."
    num_repeated = count_repeated(extra)
    if num_repeated:
        yield f"{_count(num_repeated, 'entry', 'entries')} of the benchmark repeat others, and were asked for once."
    if len(extra) > num_repeated:
        num_pictures = len(extra) - num_repeated
        yield f"{_count(num_pictures, 'picture')} in the benchmark's folder belong to no entry and were left alone."
    total = run.benchmark.get("num_items") or 0
    for editor, items in run.items.items():
        if len(items) < total:
            yield f"{editor} has {len(items)} of the benchmark's {total} items: the run did not end, or left some out."


def _failures(summary: Mapping[str, Any]) -> Iterator[str]:
    for editor in summary["editors"]:
        failed, total = summary[editor]["num_failed"], summary[editor]["num_items"]
        if failed:
            reasons = ", ".join(f"{reason} × {count}" for reason, count in summary[editor]["failures"].items())
            yield (
                f"{editor} gave no usable edit for {failed} of {total} items ({reasons}). They count as "
                "neither right nor sharp and are in no other mean: compare n."
            )


def _unequal(run: Run) -> Iterator[str]:
    for before, after in combinations(run.editors, 2):
        first, second = set(run.items[before]), set(run.items[after])
        if first != second:
            yield (
                f"{before} and {after} were not run on the same items: their means are over different edits, their "
                f"difference over the {len(first & second)} items of both."
            )


def _missing_metrics(run: Run) -> Iterator[str]:
    scored = available_metrics(run)
    by_reason: dict[str, list[str]] = {}
    for name, facts in run.metrics.items():
        if name not in scored:
            reason = facts.get("missing") or "no item of this benchmark has what it needs"
            by_reason.setdefault(reason, []).append(metric_title(name, facts))
    for reason, titles in by_reason.items():
        yield f"Not computed: {'; '.join(titles)}. Why: {reason}."


def _paper(run: Run, published: Published | None) -> Iterator[str]:
    if published is None:
        return
    total = max((len(items) for items in run.items.values()), default=0)
    if published.num_items is not None and total != published.num_items:
        yield (
            f"{published.paper}'s published figures are over {published.num_items} items, ours over {total}: they "
            "stand beside each other for orientation and are not a comparison."
        )
    yield f"Columns marked “paper” are copied from {published.paper}, {published.where}. {published.note}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def failed_items(run: Run, limit: int) -> tuple[Sequence[Any], int]:
    """Return the first failed edits and how many there are in all."""
    failed = [item for items in run.items.values() for item in items.values() if item.failure]
    return failed[:limit], len(failed)
