"""Compares two editors on the same items, and tells whether one is better with 95 % confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from editfoundry.errors import BadInputError
from editfoundry.evaluation.bootstrap import Interval
from editfoundry.evaluation.reports.compare import same_items
from editfoundry.evaluation.reports.run_results import RIGHT, Run, ScoredItem
from editfoundry.evaluation.reports.run_summary import paired

Edits = Mapping[str, Mapping[str, ScoredItem]]
"""Benchmark -> item's id -> one editor's edit; the headline benchmark first."""
METRIC = RIGHT
"""What decides: tinyworld knows the true outcome."""


@dataclass(frozen=True, kw_only=True)
class EditorComparison:
    """A candidate's paired difference to its opponent on one benchmark."""

    benchmark: str
    difference: Interval
    """Of the share of right edits, candidate minus opponent."""

    @property
    def is_better(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.difference.low is not None and self.difference.low > 0

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.difference.high is not None and self.difference.high < 0

    def __str__(self) -> str:
        return f"{self.benchmark}: {METRIC} {_in_words(self.difference)} on {self.difference.n} items"


def edits_of(runs: Sequence[Run], editor: str) -> Edits:
    """Return an editor's edits on every benchmark of a report.

    Raises:
        BadInputError: there are none.
    """
    edits = {run.name: run.items[editor] for run in runs if run.items.get(editor)}
    if not edits:
        raise BadInputError(f"the report has no items of the editor {editor!r}; evaluate it again")
    return edits


def are_same_items(first: Edits, second: Edits) -> bool:
    """Tell whether two editors were asked for the same edits: pictures, texts and noise."""
    return set(first) == set(second) and all(
        len(same_items(items, second[name])) == len(items) == len(second[name]) for name, items in first.items()
    )


def compare_editors(candidate: Edits, opponent: Edits, *, seed: int = 0) -> list[EditorComparison]:
    """Return the paired difference on each benchmark, the headline first, as the candidate has them.

    Args:
        candidate: its edits.
        opponent: edits of the same items, in any order.
        seed: of the resampling.

    Raises:
        BadInputError: the items are not the same.
    """
    if not are_same_items(candidate, opponent):
        raise BadInputError("candidate and opponent were not evaluated on the same items; evaluate both again")
    return [
        EditorComparison(
            benchmark=name,
            difference=Interval(**paired(opponent[name], items, [METRIC], seed)["overall"][METRIC]),
        )
        for name, items in candidate.items()
    ]


def _in_words(difference: Interval) -> str:
    return f"{_signed(difference.value)} [{_signed(difference.low)}, {_signed(difference.high)}]"


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.3f}"
