"""The cover of a report of several benchmarks: what stage made what, the training, the splits, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editfoundry.data.stage_result import StageResult
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION
from editfoundry.evaluation.reports.before_after import FINE_TUNED, GAIN, editor_title
from editfoundry.evaluation.reports.metric_text import (
    is_clear,
    mean_text,
    metric_title,
    range_text,
    value_text,
    verdict_css,
)
from editfoundry.evaluation.reports.page import series_css
from editfoundry.evaluation.reports.run_results import RIGHT


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What a report says of the editors besides their scores."""

    title: str
    subtitle: str = ""
    loss_curve: Sequence[tuple[int, float]] = ()
    """``(optimizer step, loss)``."""
    training: Mapping[str, object] = field(default_factory=dict)
    """Facts of the training, such as steps, seconds and samples per second; label -> value."""
    splits: Mapping[str, int] = field(default_factory=dict)
    """Split -> triplets in it."""
    stages: Mapping[str, StageResult] = field(default_factory=dict)
    """Stage -> its counts, in the order they ran."""
    sweep: Mapping[str, Any] | None = None
    """The trade-off of the image guidance, as `trade_off_page.sweep_view` gives it."""
    provenance: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Heading (``models``, ``parameters``, ``training``) -> label -> value."""


def verdict(summary: Mapping[str, Any]) -> str:
    """Return in one sentence what fine-tuning did to the share of right edits of a benchmark whose truth is known."""
    editors, count = summary["editors"], summary["num_items"]
    rates = {e: f"{100 * summary[e]['overall'][RIGHT]['value']:.0f} %" for e in editors}
    if GAIN not in summary["paired"]:
        return f"{editor_title(editors[0])} gets {rates[editors[0]]} of {count} edits right."
    difference = summary["paired"][GAIN]["overall"][RIGHT]
    text = (
        f"Fine-tuning takes the share of right edits from {rates['base']} to {rates['fine_tuned']} over {count} edits"
    )
    if not is_clear(difference):
        return f"{text}: too little for {count} edits to tell it from chance."
    facts = summary["metrics"][RIGHT]
    return f"{text}; the 95 % interval of the difference is {range_text(facts, difference, signed=True)}."


def specific_gain(summary: Mapping[str, Any]) -> str:
    """Return in one sentence how much of the gain the instruction itself brought; empty without the controls."""
    controls = summary.get("controls") or {}
    gain = controls.get("specific_paired", {}).get(GAIN)
    other = controls.get("editors", {}).get(FINE_TUNED, {}).get(ANOTHER_INSTRUCTION)
    # A benchmark of one item has no other item's instruction.
    if gain is None or other is None or gain["value"] is None or other[RIGHT]["value"] is None:
        return ""
    facts = summary["metrics"][RIGHT]
    return (
        f"By another item's instruction the fine-tuned editor gets {100 * other[RIGHT]['value']:.0f} % right; the gain "
        f"that is specific to the instruction is {value_text(facts, gain['value'], signed=True)} "
        f"[{range_text(facts, gain, signed=True)}]."
    )


def headline(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one card for each metric: every editor's mean, and what fine-tuning changed."""
    return [
        {
            "title": metric_title(name, facts),
            "figures": [
                (editor_title(e), series_css(i), mean_text(facts, summary[e]["overall"][name]))
                for i, e in enumerate(summary["editors"])
            ],
            "gain": _gain(summary["paired"][GAIN]["overall"][name], facts) if GAIN in summary["paired"] else None,
        }
        for name, facts in summary["metrics"].items()
    ]


def _gain(difference: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        "text": value_text(facts, difference["value"], signed=True),
        "range": range_text(facts, difference, signed=True),
        "css": verdict_css(difference, facts),
    }


def stage_rows(stages: Mapping[str, StageResult]) -> list[dict[str, Any]]:
    """Return what each stage took in, kept and dropped, the most frequent reason first."""
    return [
        {
            "name": name,
            "num_in": result.num_in,
            "num_derived": result.num_derived,
            "num_out": result.num_out,
            "num_rejected": result.num_rejected,
            "kept": 100 * result.num_out / max(1, result.num_in + result.num_derived),
            "rejected": sorted(result.rejected.items(), key=lambda item: (-item[1], item[0])),
        }
        for name, result in stages.items()
    ]
