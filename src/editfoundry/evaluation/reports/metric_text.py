"""How metrics are called, ordered and written in reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from editfoundry.evaluation.numbers import MISSING, decimal_text

ORDER = (
    "outcome", "clip_score", "mllm_bit", "mllm_probability", "judge_semantic", "judge_identity", "judge_quality",
    "preservation_psnr", "clip_direction", "clip_image", "clip_output", "clip_r_precision", "lpips", "dino", "l1", "l2",
    "psnr", "ssim",
)  # fmt: skip
"""Metrics in the order of a report; others follow by name."""
_DECIMALS = {
    "outcome": 2, "clip_r_precision": 2, "mllm_bit": 3, "mllm_probability": 3, "judge_semantic": 2, "judge_identity": 2,
    "judge_quality": 2, "preservation_psnr": 1, "psnr": 1, "outcome_accuracy": 2,
}  # fmt: skip
_SHOWN_DECIMALS = 4


def ordered_metrics(names: Iterable[str]) -> list[str]:
    """Return metrics in the order of a report."""
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def metric_title(name: str, facts: Mapping[str, Any]) -> str:
    """Return a metric's label; decibels are named, for their figures are unlike the others'."""
    label = facts.get("label") or name
    return f"{label}, dB" if facts.get("unit") == "dB" and "dB" not in label else label


def better_when(facts: Mapping[str, Any]) -> str:
    """Return an arrow that says which way is better; nothing where that is not known."""
    return {True: "↑", False: "↓"}.get(facts.get("higher_is_better"), "")  # type: ignore[arg-type]


def value_text(metric: str, value: float | None, *, signed: bool = False) -> str:
    """Write one value of a metric."""
    return decimal_text(value, _DECIMALS.get(metric, _SHOWN_DECIMALS), signed=signed)


def mean_text(metric: str, interval: Mapping[str, Any]) -> str:
    """Write a mean; ∞ where every value is infinite."""
    if _all_infinite(interval):
        return "∞"
    return value_text(metric, interval["value"])


def range_text(metric: str, interval: Mapping[str, Any], *, signed: bool = False) -> str:
    """Write an interval's two ends; nothing where every value is infinite."""
    if interval["value"] is None:
        return MISSING
    if _all_infinite(interval):
        return ""
    return (
        f"{value_text(metric, interval['low'], signed=signed)} to {value_text(metric, interval['high'], signed=signed)}"
    )


MIN_ITEMS_TO_TELL = 8
"""Items behind a difference from which its interval is believed: of a few, a percentile bootstrap is far too narrow."""


def verdict_css(interval: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return ``better``, ``worse`` or ``unclear`` of a difference, by its interval and which way is better."""
    if interval["n"] < MIN_ITEMS_TO_TELL or not (interval["low"] > 0 or interval["high"] < 0):
        return "unclear"
    higher = facts.get("higher_is_better")
    if higher is None:
        return "unclear"
    return "better" if (interval["value"] > 0) == higher else "worse"


def _all_infinite(interval: Mapping[str, Any]) -> bool:
    return bool(interval["n"]) and interval.get("num_infinite") == interval["n"]
