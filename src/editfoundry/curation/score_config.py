"""Which scores triplets are given; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from editfoundry.errors import BadInputError
from editfoundry.judging.judge_config import JudgeConfig


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """Which scores triplets are given, besides those of CLIP."""

    judge: JudgeConfig | None = field(default_factory=JudgeConfig)
    """How the judge is asked; None leaves its scores out."""
    records_per_batch: int = 16
    """Triplets that are scored together."""

    def __post_init__(self) -> None:
        if self.records_per_batch < 1:
            raise BadInputError(f"records_per_batch is {self.records_per_batch}; it must be at least 1")
