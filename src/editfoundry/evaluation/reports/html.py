"""A run's report as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editfoundry.evaluation.bootstrap import NUM_RESAMPLES
from editfoundry.evaluation.charts import axis_range, axis_svg, dots_svg
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.reports.content import MAX_LISTED, Extremes, MetricSection, RunReport
from editfoundry.evaluation.reports.metric_text import (
    MIN_ITEMS_TO_TELL,
    better_when,
    mean_text,
    metric_title,
    value_text,
)
from editfoundry.evaluation.reports.page import render_page, series_css
from editfoundry.evaluation.reports.pictures import inlined_picture, picture_path
from editfoundry.evaluation.reports.run import ScoredItem
from editfoundry.evaluation.reports.summary import no_interval

NUM_OPEN = 3
"""Metrics whose tables are open; the others open by a click."""
_NUM_SCORES_SHOWN = 2


def render_html(report: RunReport) -> str:
    """Return the report's HTML; equal reports give equal text."""
    missing = list(report.run.benchmark.get("missing") or ())
    return render_page("run.html.j2", {
        "report": report, "sections": [_section(report, section) for section in report.metrics], "num_open": NUM_OPEN,
        "drawn": [_shown(report, item, list(report.run.editors)) for item in report.drawn],
        "extremes": [group for extremes in report.extremes for group in _extremes(report, extremes)],
        "ranked_title": "" if report.ranked_by is None else _title(report, report.ranked_by),
        "missing": missing[:MAX_LISTED], "num_missing": len(missing), "better_when": better_when,
        "facts": {**(report.run.benchmark.get("facts") or {}), **_seed(report)},
        "num_resamples": NUM_RESAMPLES, "psnr_cap": PSNR_CAP, "min_items": MIN_ITEMS_TO_TELL,
    })  # fmt: skip


def _section(report: RunReport, section: MetricSection) -> dict[str, Any]:
    means = {e: report.summary[e]["overall"].get(section.name, no_interval()) for e in report.summary["editors"]}
    span = axis_range(list(means.values()))
    charts = [
        (editor, series_css(i), dots_svg([(series_css(i), mean)], span, f"{editor}: {mean_text(section.name, mean)}"))
        for i, (editor, mean) in enumerate(means.items())
    ]
    return {"scores": section.scores, "differences": section.differences, "charts": charts, "axis": axis_svg(span)}


def _extremes(report: RunReport, extremes: Extremes) -> list[dict[str, Any]]:
    groups = (("best", extremes.best), ("worst", extremes.worst))
    return [
        {
            "title": f"{extremes.editor}: {which} {len(items)}",
            "shown": [_shown(report, item, [extremes.editor]) for item in items],
        }
        for which, items in groups
    ]


def _shown(report: RunReport, item: ScoredItem, editors: list[str]) -> dict[str, Any]:
    folder = report.run.folder
    source = _image("Input", inlined_picture(picture_path(folder, "inputs", item.id)), nothing="not kept")
    truth = inlined_picture(picture_path(folder, "truths", item.id))
    edits = [_edit(report, item.id, editor) for editor in editors]
    images = [source, *edits, *([_image("Truth", truth)] if truth else [])]
    return {"id": item.id, "row": item.row, "instruction": item.instruction, "images": images}


def _edit(report: RunReport, item_id: str, editor: str) -> Mapping[str, Any]:
    item = report.run.items[editor].get(item_id)
    if item is None:
        return _image(editor, None, nothing="not run")
    if item.failure:
        return _image(editor, None, nothing=item.failure)
    picture = inlined_picture(picture_path(report.run.folder, "edits", item_id, editor))
    return _image(editor, picture, nothing="no picture", text=_scores(report, item))


def _scores(report: RunReport, item: ScoredItem) -> str:
    names = [section.name for section in report.metrics if section.name in item.scores]
    wanted = [report.ranked_by] if report.ranked_by in names else []
    chosen = [*wanted, *(name for name in names if name not in wanted)][:_NUM_SCORES_SHOWN]
    values = [(name, item.scores[name]) for name in chosen]
    return ", ".join(
        f"{_title(report, name)} {'∞' if value == float('inf') else value_text(name, value)}" for name, value in values
    )


def _seed(report: RunReport) -> dict[str, Any]:
    seed = report.run.benchmark.get("seed")
    return {} if seed is None else {"seed of the noise": seed}


def _title(report: RunReport, metric: str) -> str:
    return metric_title(metric, report.run.metrics[metric])


def _image(title: str, uri: str | None, *, nothing: str = "", text: str = "") -> dict[str, Any]:
    small = uri is not None and uri.startswith("data:image/png")
    return {"title": title, "uri": uri, "small": small, "nothing": nothing, "text": text}
