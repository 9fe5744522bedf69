"""Which pairs are rehearsed; light to import, since parameters are read everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.errors import BadInputError
from editfoundry.sources.caption_stage import TINYWORLD


@dataclass(frozen=True, kw_only=True)
class RehearsalConfig:
    """Parameters of the recipe ``rehearsal``."""

    pairs: str = TINYWORLD
    """``tinyworld`` for its plain add, change and remove edits with their true outcomes; or a folder of triplet shards,
    relative ones start at the project's folder; empty for none."""
    num_pairs: int = 1000
    """Pairs of tinyworld."""
    pairs_per_shard: int = 500
    """Pairs of tinyworld that go into a shard."""
    seed: int = 0
    """Of the draw from tinyworld."""

    def __post_init__(self) -> None:
        if self.num_pairs < 0:
            raise BadInputError(f"num_pairs is {self.num_pairs}; it must be at least 0")
        if self.pairs_per_shard < 1:
            raise BadInputError(f"pairs_per_shard is {self.pairs_per_shard}; it must be at least 1")
