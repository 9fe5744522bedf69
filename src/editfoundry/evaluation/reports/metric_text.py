"""How metrics are called and written in reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MISSING = "–"
_DECIMALS_BY_UNIT = {"0 or 1": 2, "1 to 5": 2, "dB": 1}
"""Of metrics in files that do not say how many decimals to show."""
_DECIMALS = 4


def metric_title(name: str, facts: Mapping[str, Any]) -> str:
    """Return a metric's label; decibels are named, for their figures are unlike the others'."""
    label = facts.get("label") or name
    return f"{label}, dB" if facts.get("unit") == "dB" and "dB" not in label else label


def better_when(facts: Mapping[str, Any]) -> str:
    """Return an arrow that says which way is better; nothing where that is not known."""
    return {True: "↑", False: "↓"}.get(facts.get("higher_is_better"), "")  # type: ignore[arg-type]


def column_title(name: str, facts: Mapping[str, Any]) -> str:
    """Return a metric's title and which way is better."""
    return f"{metric_title(name, facts)} {better_when(facts)}".strip()


def decimal_text(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """Write one value, a dash where there is none; ``signed`` is for differences."""
    if value is None:
        return MISSING
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    # A difference that rounds to nothing has no sign.
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def value_text(facts: Mapping[str, Any], value: float | None, *, signed: bool = False) -> str:
    """Write one value of a metric, whose ``facts`` are its entry of ``metrics.json``."""
    decimals = facts.get("decimals", _DECIMALS_BY_UNIT.get(facts.get("unit") or "", _DECIMALS))
    return decimal_text(value, decimals, signed=signed)


def mean_text(facts: Mapping[str, Any], interval: Mapping[str, Any]) -> str:
    """Write a mean; ∞ where every value is infinite."""
    return "∞" if _all_infinite(interval) else value_text(facts, interval["value"])


def range_text(facts: Mapping[str, Any], interval: Mapping[str, Any], *, signed: bool = False) -> str:
    """Write an interval's two ends, for example ``0.12 to 0.31``; nothing where every value is infinite."""
    if interval["value"] is None:
        return MISSING
    if _all_infinite(interval):
        return ""
    return (
        f"{value_text(facts, interval['low'], signed=signed)} to {value_text(facts, interval['high'], signed=signed)}"
    )


MIN_ITEMS_TO_TELL = 8
"""Items behind a difference from which its interval is believed: of a few, a percentile bootstrap is far too narrow."""


def verdict_css(interval: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return ``better``, ``worse`` or ``unclear`` of a difference, by its interval and which way is better."""
    if interval["n"] < MIN_ITEMS_TO_TELL or not is_clear(interval):
        return "unclear"
    higher = facts.get("higher_is_better")
    if higher is None:
        return "unclear"
    return "better" if (interval["value"] > 0) == higher else "worse"


def is_clear(interval: Mapping[str, Any]) -> bool:
    """Whether a difference's interval lies wholly on one side of zero."""
    return interval["value"] is not None and (interval["low"] > 0 or interval["high"] < 0)


def _all_infinite(interval: Mapping[str, Any]) -> bool:
    return bool(interval["n"]) and interval.get("num_infinite") == interval["n"]
