"""What a data set keeps, and how it is split."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.curation.filters import ClipThresholds
from editfoundry.curation.splits import SplitShares
from editfoundry.errors import BadInputError
from editfoundry.judging.judge_thresholds import JudgeThresholds


@dataclass(frozen=True, kw_only=True)
class CurationConfig:
    """What a data set keeps, and how it is split."""

    thresholds: ClipThresholds = field(default_factory=ClipThresholds)
    judge: JudgeThresholds | None = None
    """Lowest scores of the judge; None asks for none. ``editfoundry score`` gives triplets the scores."""
    shares: SplitShares = field(default_factory=SplitShares)
    triplets_per_shard: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.triplets_per_shard < 1:
            raise BadInputError(f"triplets_per_shard is {self.triplets_per_shard}; it must be at least 1")
