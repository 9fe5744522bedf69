"""What a data set keeps, and how it is split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.curation.splits import SplitShares
from editfoundry.errors import BadInputError
from editfoundry.judging.judge_thresholds import JudgeThresholds


@dataclass(frozen=True, kw_only=True)
class CurationConfig:
    """What a data set keeps, and how it is split."""

    thresholds: ClipThresholds = field(default_factory=ClipThresholds)
    recipe_thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Recipe -> what its triplets have in the place of ``thresholds``: ``editworld-video: {clip_image: 0.5}``."""
    judge: JudgeThresholds | None = None
    """Lowest scores of the judge; None asks for none. ``editfoundry score`` gives triplets the scores."""
    shares: SplitShares = field(default_factory=SplitShares)
    triplets_per_shard: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.triplets_per_shard < 1:
            raise BadInputError(f"triplets_per_shard is {self.triplets_per_shard}; it must be at least 1")
        names = [f.name for f in fields(ClipThresholds)]
        for recipe, own in self.recipe_thresholds.items():
            if not isinstance(own, Mapping):
                raise BadInputError(f"recipe_thresholds.{recipe} is {own!r}; it must map scores to their lowest values")
            for name, lowest in own.items():
                place = f"recipe_thresholds.{recipe}.{name}"
                if name not in names:
                    raise BadInputError(f"unknown score {place}; there are {', '.join(names)}")
                if isinstance(lowest, bool) or not isinstance(lowest, int | float):
                    raise BadInputError(f"{place} is {lowest!r}, which is no number")
                if not math.isfinite(lowest):
                    raise BadInputError(f"{place} is {lowest}, but must be a finite number")
                if not -1 <= lowest <= 1:
                    raise BadInputError(f"{place} is {lowest}; it must be from -1 to 1")

    def thresholds_of(self, recipe: str) -> ClipThresholds:
        """Return the thresholds for a recipe's triplets."""
        return replace(self.thresholds, **self.recipe_thresholds.get(recipe, {}))

    def digest_parts(self) -> dict[str, Any]:
        """Return what a data set's digest holds of these parameters; without thresholds of recipes as it always was."""
        values = asdict(self)
        if not values["recipe_thresholds"]:
            del values["recipe_thresholds"]
        return {type(self).__name__: values}
