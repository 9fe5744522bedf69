"""The report: one HTML file that needs nothing else, readable on a phone, in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from editfoundry.data.atomic import atomic_file
from editfoundry.data.stage import StageResult
from editfoundry.evaluation.bootstrap import NUM_RESAMPLES
from editfoundry.evaluation.cases import order_categories
from editfoundry.evaluation.charts import axis_range, axis_svg, curve_svg, dots_svg
from editfoundry.evaluation.evaluate import Evaluation, ShownCase
from editfoundry.evaluation.grid import data_uri
from editfoundry.evaluation.numbers import METRIC_TITLES, editor_title, interval_text, is_clear, number
from editfoundry.evaluation.preservation import PSNR_CAP
from editfoundry.evaluation.summary import editor_names
from editfoundry.tinyworld.outcome import CHANGE_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class BenchmarkSection:
    """One benchmark's part of the report."""

    summary: Mapping[str, Any]
    """As ``summarise`` returns it."""
    evaluation: Evaluation
    description: str = ""
    """One sentence: what the benchmark asks."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a report shows."""

    title: str
    subtitle: str = ""
    sections: Sequence[BenchmarkSection]
    """The first is the main one: its numbers are the headline."""
    loss_curve: Sequence[tuple[int, float]] = ()
    """``(optimizer step, loss)``."""
    training: Mapping[str, object] = field(default_factory=dict)
    """Facts of the training, such as steps, seconds and samples per second; label -> value."""
    splits: Mapping[str, int] = field(default_factory=dict)
    """Split -> triplets in it."""
    stages: Mapping[str, StageResult] = field(default_factory=dict)
    """Stage -> its counts, in the order they ran."""
    provenance: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Heading (``models``, ``seeds``, ``parameters``, ``data set``) -> label -> value."""
    notes: Sequence[str] = ()
    """Further things a reader must know before trusting the numbers."""


def write_report(path: Path, report: Report) -> None:
    """Write the report as one self-contained HTML file, atomically."""
    html = render_report(report)
    with atomic_file(path) as file:
        file.write(html.encode())


def render_report(report: Report) -> str:
    """Return the report's HTML; equal reports give equal text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("editfoundry.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict=_verdict(report.sections[0].summary),
        headline=_headline(report.sections[0].summary),
        sections=[_section(s) for s in report.sections],
        curve=curve_svg(report.loss_curve),
        stages=[_stage(name, result) for name, result in report.stages.items()],
        change_threshold=CHANGE_THRESHOLD,
        psnr_cap=PSNR_CAP,
        num_resamples=NUM_RESAMPLES,
        clip=report.sections[0].summary["clip"],
    )


def _verdict(summary: Mapping[str, Any]) -> str:
    editors = editor_names(summary)
    rates = {e: f"{100 * summary[e]['overall']['outcome_accuracy']['value']:.0f} %" for e in editors}
    count = summary["num_cases"]
    if "difference" not in summary:
        return f"{editor_title(editors[0])} gets {rates[editors[0]]} of {count} edits right."
    difference = summary["difference"]["overall"]["outcome_accuracy"]
    text = (
        f"Fine-tuning takes the share of right edits from {rates['base']} to {rates['fine_tuned']} over {count} edits"
    )
    if not is_clear(difference):
        return f"{text}: too little for {count} edits to tell it from chance."
    interval = interval_text("outcome_accuracy", difference, signed=True)
    return f"{text}; the 95 % interval of the difference is {interval}."


def _headline(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "values": [
                (editor_title(e), _css(e, i), number(metric, summary[e]["overall"][metric]["value"]))
                for i, e in enumerate(editor_names(summary))
            ],
            "difference": _gain(metric, summary["difference"]["overall"]) if "difference" in summary else None,
        }
        for metric, title in METRIC_TITLES.items()
    ]


def _section(section: BenchmarkSection) -> dict[str, Any]:
    summary = section.summary
    editors = editor_names(summary)
    return {
        "name": summary["benchmark"],
        "description": section.description,
        "num_cases": summary["num_cases"],
        "editors": [(editor_title(e), _css(e, i)) for i, e in enumerate(editors)],
        "has_difference": "difference" in summary,
        "metrics": [_metric(summary, metric) for metric in METRIC_TITLES],
        "outcomes": [(editor_title(e), _shares(summary[e]["outcomes"], summary["num_cases"])) for e in editors],
        "failures": [
            (editor_title(e), reason, count) for e in editors for reason, count in summary[e]["failures"].items()
        ],
        "categories": [
            (category, [_shown(s) for s in section.evaluation.shown if s.case.category == category])
            for category in order_categories(s.case.category for s in section.evaluation.shown)
        ],
    }


def _metric(summary: Mapping[str, Any], metric: str) -> dict[str, Any]:
    editors = editor_names(summary)
    categories: list[str | None] = [None, *summary[editors[0]]["by_category"]]
    scores = {(e, c): _part(summary[e], c)[metric] for e in editors for c in categories}
    span = (0.0, 1.0) if metric == "outcome_accuracy" else axis_range(list(scores.values()))
    rows = []
    for category in categories:
        own = [scores[e, category] for e in editors]
        values = [
            (title, number(metric, score["value"]), interval_text(metric, score))
            for title, score in zip(map(editor_title, editors), own, strict=True)
        ]
        series = [(_css(e, i), score) for i, (e, score) in enumerate(zip(editors, own, strict=True))]
        label = ", ".join(f"{title} {value}" for title, value, _ in values)
        difference = _gain(metric, _part(summary["difference"], category)) if "difference" in summary else None
        rows.append(
            {
                "category": category or "All",
                "overall": category is None,
                "n": max(s["n"] for s in own),
                "chart": dots_svg(series, span, f"{category or 'all'}: {label}"),
                "values": values,
                "difference": difference,
            }
        )
    return {"name": metric, "title": METRIC_TITLES[metric], "rows": rows, "axis": axis_svg(span)}


def _part(scores: Mapping[str, Any], category: str | None) -> Mapping[str, Any]:
    part: Mapping[str, Any] = scores["overall"] if category is None else scores["by_category"][category]
    return part


def _gain(metric: str, difference: Mapping[str, Any]) -> dict[str, str]:
    interval = difference[metric]
    css = "unclear" if not is_clear(interval) else "better" if interval["value"] > 0 else "worse"
    return {
        "text": number(metric, interval["value"], signed=True),
        "interval": interval_text(metric, interval, signed=True),
        "css": css,
    }


def _shares(outcomes: Mapping[str, int], total: int) -> list[tuple[str, str, int, float]]:
    titles = {"truth": "right", "wrong": "another outcome", "input": "left as it was", "failed": "failed"}
    return [(key, titles[key], count, 100 * count / total) for key, count in outcomes.items() if count]


def _shown(shown: ShownCase) -> dict[str, Any]:
    case = shown.case
    edits = [
        {
            "title": editor_title(name),
            "uri": None if edit.image is None else data_uri(np.asarray(edit.image)),
            "mark": shown.results[name].outcome or "failed",
            "detail": edit.failure or "",
        }
        for name, edit in shown.edits.items()
    ]
    return {
        "instruction": case.instruction,
        "caption": case.output_caption,
        "images": [
            {"title": "Input", "uri": data_uri(case.input_image), "mark": "", "detail": ""},
            *edits,
            {"title": "Truth", "uri": data_uri(case.true_output), "mark": "", "detail": ""},
        ],
    }


def _stage(name: str, result: StageResult) -> dict[str, Any]:
    total = max(1, result.num_in + result.num_derived)
    return {
        "name": name,
        "num_in": result.num_in,
        "num_derived": result.num_derived,
        "num_out": result.num_out,
        "num_rejected": result.num_rejected,
        "kept": 100 * result.num_out / total,
        "rejected": sorted(result.rejected.items(), key=lambda item: (-item[1], item[0])),
    }


def _css(editor: str, position: int) -> str:
    return {"base": "s0", "fine_tuned": "s1"}.get(editor, f"s{position % 4}")
