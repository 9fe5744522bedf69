"""From intervals to verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from editfoundry.evaluation.bootstrap import Interval

Verdict = Literal["holds", "does not hold", "undecided"]

MIN_ITEMS = 20
"""An interval of fewer items decides nothing: its bootstrap is too narrow."""


def is_above(interval: Interval, bound: float = 0.0) -> Verdict:
    """Return whether the value lies above ``bound``: ``holds`` where the whole 95 % interval does.

    ``does not hold`` where none of it does; ``undecided`` where the bound lies inside, or with too few items.
    """
    if interval.low is None or interval.high is None or interval.n < MIN_ITEMS:
        return "undecided"
    if interval.low > bound:
        return "holds"
    return "does not hold" if interval.high <= bound else "undecided"


def is_below(interval: Interval, bound: float = 0.0) -> Verdict:
    """Return whether the value lies below ``bound``; see `is_above`."""
    if interval.low is None or interval.high is None or interval.value is None:
        return "undecided"
    return is_above(Interval(-interval.value, -interval.high, -interval.low, interval.n), -bound)


def items_to_decide(interval: Interval, bound: float = 0.0) -> int | None:
    """Return how many items it would take until ``bound`` lies outside the interval, if effect and spread stay.

    None where the interval has a side missing or its value is the bound itself: no number of items would do.
    """
    if interval.value is None or interval.low is None or interval.high is None or interval.value == bound:
        return None
    near = interval.low if interval.value > bound else interval.high
    half = abs(interval.value - near)
    return max(MIN_ITEMS, math.floor(interval.n * (half / abs(interval.value - bound)) ** 2) + 1)


def in_doubt(label: str, interval: Interval, bound: float = 0.0) -> str:
    """Return a sentence that says how many items would decide an undecided measure; nothing where it is decided."""
    if is_above(interval, bound) != "undecided":
        return ""
    count = items_to_decide(interval, bound)
    if count is None:
        return f"{label}: no number of items would decide it, as far as these say."
    return f"{label}: about {count} items would decide it, if effect and spread stay; it has {interval.n}."


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a claim that needs each part to hold; one that fails, fails all.

    Each part is tested at 95 %; for ``holds`` that is a test of the whole at 95 % (intersection-union), no less.
    """
    given = list(verdicts)
    if not given or ("undecided" in given and "does not hold" not in given):
        return "undecided"
    return "does not hold" if "does not hold" in given else "holds"
