"""A report as one HTML file: one benchmark's run, or several behind a cover."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from editfoundry.evaluation.bootstrap import NUM_RESAMPLES
from editfoundry.evaluation.charts import axis_range, axis_svg, curve_svg, dots_svg
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.reports.content import MAX_LISTED, Extremes, MetricSection, RunReport
from editfoundry.evaluation.reports.cover import Cover, headline, specific_gain, stage_rows, verdict
from editfoundry.evaluation.reports.inlined_pictures import ShownItem, edited_picture, input_picture, truth_pictures
from editfoundry.evaluation.reports.metric_text import (
    MIN_ITEMS_TO_TELL,
    better_when,
    mean_text,
    metric_title,
    value_text,
)
from editfoundry.evaluation.reports.page import render_page, series_css
from editfoundry.evaluation.reports.run_results import OUTCOMES, RIGHT, ScoredItem
from editfoundry.evaluation.reports.run_summary import no_interval

NUM_OPEN = 1
"""Metrics of the first benchmark whose tables are open; the others open by a click."""
NUM_PICTURES_OPEN = 4
"""Figures of the first benchmark that are open; the others open by a click."""
NUM_PICTURES_OPEN_LATER = 2
"""Likewise of each further benchmark, of which all but the means is folded up."""
_OUTCOME_TITLES = {
    "right": "right",
    "unclear": "nearest to the truth, but not near enough",
    "wrong": "another outcome",
    "input": "left as it was",
    "failed": "failed",
}


def render_html(reports: Sequence[RunReport], made: MadeBy, cover: Cover | None = None) -> str:
    """Return the report's HTML; equal reports give equal text.

    Args:
        reports: one for each benchmark; the first is the headline.
        made: said at the head.
        cover: what there is to say beside the scores; by default nothing.
    """
    first = reports[0]
    knows_outcome = cover is not None and RIGHT in first.summary["metrics"]
    return render_page(
        "report.html.j2",
        {
            "title": first.summary["title"] if cover is None else cover.title,
            "made": made,
            "cover": cover,
            "verdict": f"{verdict(first.summary)} {specific_gain(first.summary)}".strip() if knows_outcome else "",
            "headline": headline(first.summary) if knows_outcome else [],
            "curve": "" if cover is None else curve_svg(cover.loss_curve),
            "stages": [] if cover is None else stage_rows(cover.stages),
            "views": [_view(report, is_first=report is first) for report in reports],
            "sweep": None if cover is None else cover.sweep,
            "report": first,
            "better_when": better_when,
            "num_resamples": NUM_RESAMPLES,
            "psnr_cap": PSNR_CAP,
            "min_items": MIN_ITEMS_TO_TELL,
        },
    )


def _view(report: RunReport, *, is_first: bool) -> dict[str, Any]:
    missing = list(report.run.benchmark.get("missing") or ())
    drawn = [_shown(report, item, list(report.run.editors)) for item in report.drawn]
    return {
        "report": report,
        "name": report.run.name,
        "is_first": is_first,
        "num_open": NUM_OPEN if is_first else 0,
        "num_pictures_open": NUM_PICTURES_OPEN if is_first else NUM_PICTURES_OPEN_LATER,
        "sections": [_section(report, section) for section in report.metrics],
        "drawn": drawn,
        "extremes": [group for extremes in report.extremes for group in _extremes(report, extremes)],
        "ranked_title": "" if report.ranked_by is None else _title(report, report.ranked_by),
        "outcomes": _outcomes(report),
        "missing": missing[:MAX_LISTED],
        "num_missing": len(missing),
        "facts": {**(report.run.benchmark.get("facts") or {}), **_seed(report)},
    }


def _section(report: RunReport, section: MetricSection) -> dict[str, Any]:
    facts = report.run.metrics[section.name]
    means = {e: report.summary[e]["overall"].get(section.name, no_interval()) for e in report.summary["editors"]}
    span = axis_range(list(means.values()))
    charts = [
        (editor, series_css(i), dots_svg([(series_css(i), mean)], span, f"{editor}: {mean_text(facts, mean)}"))
        for i, (editor, mean) in enumerate(means.items())
    ]
    return {"scores": section.scores, "differences": section.differences, "charts": charts, "axis": axis_svg(span)}


def _outcomes(report: RunReport) -> list[dict[str, Any]]:
    """Return what each editor's edits became, as shares of all, where the truth is known."""
    rows = []
    for editor in report.summary["editors"]:
        counts = report.summary[editor].get("outcomes") or {}
        total = sum(counts.values())
        parts = [
            (f"outcome-{outcome}", 100 * counts[outcome] / total, f"{_OUTCOME_TITLES[outcome]}: {counts[outcome]}")
            for outcome in OUTCOMES
            if counts.get(outcome)
        ]
        if parts:
            rows.append({"label": editor, "parts": parts, "text": f"{counts['right']} of {total} right"})
    return rows


def _extremes(report: RunReport, extremes: Extremes) -> list[dict[str, Any]]:
    groups = (("best", extremes.best), ("worst", extremes.worst))
    return [
        {
            "title": f"{extremes.editor}: {which} {len(items)}",
            "shown": [_shown(report, item, [extremes.editor], f"{which}-{extremes.editor}") for item in items],
        }
        for which, items in groups
    ]


def _shown(report: RunReport, item: ScoredItem, editors: list[str], group: str = "drawn") -> ShownItem:
    run = report.run
    edits = [edited_picture(run, editor, item.id, text=_below(report, editor, item.id)) for editor in editors]
    return ShownItem(
        id=item.id,
        anchor=f"{run.name}-{group}-{item.id}",
        row=item.row,
        instruction=item.instruction,
        images=[input_picture(run, item), *edits, *truth_pictures(run, item)],
    )


def _below(report: RunReport, editor: str, item_id: str) -> str:
    """Return what stands below an edit: its score, and the words that it was made by, where its editor says them."""
    item = report.run.items[editor].get(item_id)
    words = f"“{item.words}”" if item is not None and item.words else ""
    return " · ".join(filter(None, (_score(report, editor, item_id), words)))


def _score(report: RunReport, editor: str, item_id: str) -> str:
    item = report.run.items[editor].get(item_id)
    scores: Mapping[str, float] = {} if item is None else item.scores
    metric = report.ranked_by
    if metric is None or metric not in scores:
        return ""
    value = "∞" if math.isinf(scores[metric]) else value_text(report.run.metrics[metric], scores[metric])
    return f"{_title(report, metric)} {value}"


def _seed(report: RunReport) -> dict[str, Any]:
    seed = report.run.benchmark.get("seed")
    return {} if seed is None else {"seed of the noise": seed}


def _title(report: RunReport, metric: str) -> str:
    return metric_title(metric, report.run.metrics[metric])
