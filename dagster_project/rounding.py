"""Numbers as a person reads them: Dagster's pages show whatever digits they are given."""

import math
from collections.abc import Mapping
from typing import Any

NUM_DIGITS = 4
"""Significant digits; more of them is nothing that a mean over some hundred pictures can tell."""


def rounded(value: Any) -> Any:
    """Return a number with `NUM_DIGITS` significant digits, a whole number as it is.

    Lists and mappings are gone through; everything else, Dagster's own values among it, comes back as it is.
    """
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    # Dagster's own values are tuples too.
    if type(value) in (list, tuple):
        return [rounded(inner) for inner in value]
    return value


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    # Digits before the point are never taken away: 12345.6 s are 12346 s.
    return round(value, max(0, NUM_DIGITS - 1 - math.floor(math.log10(abs(value)))))
