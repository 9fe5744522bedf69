"""How a metric's numbers are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METRIC_TITLES = {
    "outcome_accuracy": "Outcome accuracy",
    "clip_score": "CLIP score",
    "preservation_psnr": "Preservation, dB",
}
EDITOR_TITLES = {"base": "Base", "fine_tuned": "Fine-tuned"}
_DECIMALS = {"outcome_accuracy": 2, "clip_score": 3, "preservation_psnr": 1}
MISSING = "–"


def editor_title(name: str) -> str:
    """Return an editor's name as headings write it."""
    return EDITOR_TITLES.get(name, name)


def number(metric: str, value: float | None, *, signed: bool = False) -> str:
    """Write one value with the metric's own number of decimals."""
    return decimal_text(value, _DECIMALS[metric], signed=signed)


def decimal_text(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """Write one value, a dash where there is none; ``signed`` is for differences."""
    if value is None:
        return MISSING
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    # A difference that rounds to nothing has no sign.
    return text.lstrip("+-") if signed and float(text) == 0 else text.replace("-", "−")


def interval_text(metric: str, interval: Mapping[str, Any], *, signed: bool = False) -> str:
    """Write the two ends, for example ``"0.12 to 0.31"``."""
    if interval["value"] is None:
        return MISSING
    return f"{number(metric, interval['low'], signed=signed)} to {number(metric, interval['high'], signed=signed)}"


def is_clear(interval: Mapping[str, Any]) -> bool:
    """Whether a difference's interval lies wholly on one side of zero."""
    return interval["value"] is not None and (interval["low"] > 0 or interval["high"] < 0)
