"""What every stage reports: counts that must add up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """Counts of one stage, or of one shard of it."""

    num_in: int
    """Records read."""
    num_out: int
    """Records kept."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason -> number of records dropped for it."""
    num_shards: int = 1
    num_shards_reused: int = 0
    """Shards that were there already, made from the same inputs and parameters."""
    num_derived: int = 0
    """Records written beyond one for each record read, where a stage makes several of one."""
    totals: dict[str, float] = field(default_factory=dict)
    """Sums worth reporting: requests and tokens of a language model, and their cost."""

    def __post_init__(self) -> None:
        if self.num_in + self.num_derived != self.num_out + self.num_rejected:
            raise ValueError(
                f"counts do not add up: {self.num_in} in + {self.num_derived} derived, "
                f"{self.num_out} out + {self.num_rejected} rejected"
            )

    @property
    def num_rejected(self) -> int:
        """Records dropped, for all reasons."""
        return sum(self.rejected.values())


def add_up(results: Iterable[StageResult]) -> StageResult:
    """Sum the results of a stage's shards."""
    listed = list(results)
    rejected: Counter[str] = Counter()
    totals: defaultdict[str, float] = defaultdict(int)
    for result in listed:
        rejected.update(result.rejected)
        for name, value in result.totals.items():
            totals[name] += value
    return StageResult(
        num_in=sum(r.num_in for r in listed),
        num_out=sum(r.num_out for r in listed),
        rejected=dict(sorted(rejected.items())),
        num_shards=sum(r.num_shards for r in listed),
        num_shards_reused=sum(r.num_shards_reused for r in listed),
        num_derived=sum(r.num_derived for r in listed),
        totals=dict(totals),
    )
