"""Compares two editors on the same cases, and tells whether one is better with 95 % confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval, paired_difference

Rows = Sequence[Mapping[str, Any]]
"""Rows of ``metrics.json``, of one editor."""
TRUTH_METRICS = ("correct",)
"""What decides where the true outcome is known."""
SCORE_METRICS = ("clip_score", "mllm_score")
"""What decides on real data; each that was measured must be better."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A candidate's paired differences to its opponent on one benchmark."""

    benchmark: str
    differences: Mapping[str, Interval]
    """Metric -> candidate minus opponent."""

    @property
    def is_better(self) -> bool:
        """Whether every metric's interval is above zero."""
        return bool(self.differences) and all(d.low is not None and d.low > 0 for d in self.differences.values())

    @property
    def is_worse(self) -> bool:
        """Whether any metric's interval is below zero."""
        return any(d.high is not None and d.high < 0 for d in self.differences.values())

    def __str__(self) -> str:
        told = [f"{name} {_in_words(difference)}" for name, difference in self.differences.items()]
        num_cases = max((d.n for d in self.differences.values()), default=0)
        return f"{self.benchmark}: {', '.join(told) or 'nothing measured'} on {num_cases} cases"


def rows_of(metrics: Rows, editor: str) -> list[Mapping[str, Any]]:
    """Return an editor's rows of ``metrics.json``.

    Raises:
        BadInputError: there are none.
    """
    rows = [row for row in metrics if row["editor"] == editor]
    if not rows:
        raise BadInputError(f"the report has no cases of the editor {editor!r}; evaluate it again")
    return rows


def same_cases(first: Rows, second: Rows) -> bool:
    """Tell whether two editors were given the same cases, from the same noise."""
    return {_case(row) for row in first} == {_case(row) for row in second}


def compare(candidate: Rows, opponent: Rows, *, seed: int = 0) -> list[Comparison]:
    """Return the paired differences of each benchmark, the headline first, as the candidate's rows have them.

    Args:
        candidate: its rows.
        opponent: rows of the same cases, in any order.
        seed: of the resampling.

    Raises:
        BadInputError: the cases are not the same.
    """
    if not same_cases(candidate, opponent):
        raise BadInputError("candidate and opponent were not evaluated on the same cases; evaluate both again")
    of_opponent = {_case(row): row for row in opponent}
    benchmarks = list(dict.fromkeys(row["benchmark"] for row in candidate))
    return [
        _compare_one(name, [(of_opponent[_case(row)], row) for row in candidate if row["benchmark"] == name], seed)
        for name in benchmarks
    ]


def _compare_one(benchmark: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], seed: int) -> Comparison:
    knows_truth = all(row.get("correct") is not None for pair in pairs for row in pair)
    differences = {}
    for metric in TRUTH_METRICS if knows_truth else SCORE_METRICS:
        values = np.array([[_number(row.get(metric)) for row in pair] for pair in pairs])
        difference = paired_difference(values[:, 0], values[:, 1], seed=seed)
        if difference.n:
            differences[metric] = difference
    return Comparison(benchmark=benchmark, differences=differences)


def _case(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["benchmark"], row["id"], row["seed"]


def _number(value: float | bool | None) -> float:
    return float("nan") if value is None else float(value)


def _in_words(difference: Interval) -> str:
    return f"{_signed(difference.value)} [{_signed(difference.low)}, {_signed(difference.high)}]"


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.3f}"
