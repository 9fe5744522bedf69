"""What a row of the ledger is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from editfoundry.claims.verdicts import Verdict
from editfoundry.evaluation.bootstrap import Interval, bootstrap_interval

if TYPE_CHECKING:
    from editfoundry.claims.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Detail:
    """A measure beside the one that the row shows."""

    label: str
    interval: Interval
    is_difference: bool = True
    """Whether it is written with its sign."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"label": self.label, "is_difference": self.is_difference, **self.interval.to_dict()}


def level(label: str, values: np.ndarray, seed: int, groups: np.ndarray | None = None) -> Detail:
    """Return the mean of one arm's ``(N,)`` values with its interval: a detail that is no difference.

    Values of one of the ``groups``, ``(N,)`` integers, are drawn together.
    """
    interval = bootstrap_interval(values, seed=seed, groups=groups)
    return Detail(label=label, interval=interval, is_difference=False)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of testing a claim."""

    effect: Interval
    """The difference or correlation that the metric names, with its 95 % interval and n."""
    verdict: Verdict
    controls: tuple[Detail, ...]
    """The same measure where there is nothing to find: what chance or a trivial choice gets. The first is the row's."""
    details: tuple[Detail, ...] = ()
    note: str = ""
    """Why it is undecided or fails, as far as the numbers say."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of a paper, and how it is tested."""

    name: str
    """Names the row on the command line."""
    paper: str
    sentence: str
    arms: tuple[str, str]
    """What is compared: the second against the first."""
    metric: str
    """Exactly what is measured, and which way is better."""
    rule: str
    """When the claim holds, and when it does not."""
    test: Callable[[Workbench], Finding]
    limits: str = ""
    """How the test differs from the paper's."""

    @property
    def command(self) -> str:
        """What tests this claim alone."""
        return f"editfoundry claims --out reports/claims --only {self.name}"
