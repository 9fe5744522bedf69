"""Gathers what a run's report shows, for HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from editfoundry.evaluation.reports.caveats import caveats, failed_items
from editfoundry.evaluation.reports.control_tables import attribute_table, instruction_table, trivial_table
from editfoundry.evaluation.reports.metric_text import MISSING
from editfoundry.evaluation.reports.published import Published, published_elsewhere, published_for
from editfoundry.evaluation.reports.report_tables import (
    Cell,
    Row,
    Table,
    difference_table,
    metric_table,
    overview_table,
    published_table,
)
from editfoundry.evaluation.reports.run_results import Run, ScoredItem, available_metrics
from editfoundry.evaluation.reports.run_summary import summarise_run
from editfoundry.evaluation.reports.shown_samples import all_items, best_and_worst, draw_items, ranking_metric

MAX_LISTED = 100
"""Failures, missing entries and strays that a report lists one by one; it counts all."""


@dataclass(frozen=True, kw_only=True)
class MetricSection:
    """One metric: Table 2, and the differences between editors."""

    name: str
    scores: Table
    differences: Table | None


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """The best and worst edits of one editor."""

    editor: str
    best: Sequence[ScoredItem]
    worst: Sequence[ScoredItem]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """Everything that a run's report shows."""

    run: Run
    summary: dict[str, Any]
    caveats: Sequence[str]
    overview: Table
    metrics: Sequence[MetricSection]
    costs: Table
    controls: Table | None
    """Right edits by the own instruction, by another item's and by none."""
    attributes: Table | None
    """What was painted into holes, attribute by attribute."""
    trivial: Table | None
    """What every metric gives to pictures that no editor made."""
    drawn: Sequence[ScoredItem]
    """Chosen by the seed."""
    num_items: int
    """Items that any editor has."""
    ranked_by: str | None
    extremes: Sequence[Extremes]
    failed: Sequence[ScoredItem]
    num_failed: int
    published: Published | None
    elsewhere: Sequence[Table]
    """A paper's figures of the same task on another benchmark."""


def gather(run: Run, seed: int) -> RunReport:
    """Compute a report's content; the same run and seed give the same."""
    summary = summarise_run(run, seed)
    scored = available_metrics(run)
    published = published_for(run.name)
    ranked_by = ranking_metric(run, scored)
    reads = _captions_read(run)
    failed, num_failed = failed_items(run, MAX_LISTED)
    return RunReport(
        run=run,
        summary=summary,
        caveats=caveats(run, summary, published),
        overview=replace(overview_table(summary), column_notes=reads),
        metrics=[
            MetricSection(
                name=metric,
                scores=replace(metric_table(summary, metric, published), column_notes=reads),
                differences=difference_table(summary, metric),
            )
            for metric in scored
        ],
        costs=cost_table(run),
        controls=instruction_table(summary),
        attributes=attribute_table(summary),
        trivial=trivial_table(summary),
        drawn=draw_items(run, seed),
        num_items=len(all_items(run)),
        ranked_by=ranked_by,
        extremes=[] if ranked_by is None else _extremes(run, ranked_by),
        failed=failed,
        num_failed=num_failed,
        published=published,
        elsewhere=_elsewhere(run),
    )


def _captions_read(run: Run) -> dict[str, str]:
    """Return editor -> which captions it reads: it is told more of the outcome than the others are."""
    reads = {editor: facts.get("reads") or () for editor, facts in run.editors.items()}
    return {editor: f"reads the {' and the '.join(captions)}" for editor, captions in reads.items() if captions}


NO_SAFETY_CHECKER = "No editor has a safety checker: what it painted is what was scored."


def cost_table(run: Run) -> Table:
    """Return what an edit costs with each editor."""
    rows = [
        Row(
            label=editor,
            cells=(
                Cell(text=_number(facts.get("seconds_per_edit"), ".3g")),
                Cell(text=_number(facts.get("peak_memory_mb"), ",.0f")),
            ),
        )
        for editor, facts in run.editors.items()
    ]
    columns = ("seconds per edit", "peak memory, MB")
    return Table(title="Costs", columns=columns, rows=tuple(rows), notes=(NO_SAFETY_CHECKER,))


def _number(value: float | None, form: str) -> str:
    return MISSING if value is None else format(value, form)


def _extremes(run: Run, metric: str) -> list[Extremes]:
    higher = run.metrics[metric].get("higher_is_better", True)
    chosen = {editor: best_and_worst(items, metric, higher) for editor, items in run.items.items()}
    return [Extremes(editor=e, best=best, worst=worst) for e, (best, worst) in chosen.items() if best]


def _elsewhere(run: Run) -> list[Table]:
    categories = sorted({item.category for item in all_items(run).values()})
    return [
        published_table(table, metric, run.metrics.get(metric, {}))
        for table in published_elsewhere(run.name, categories)
        for metric in table.metrics
    ]
