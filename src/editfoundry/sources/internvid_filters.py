"""Which rows of an InternVid-schema table are kept; light to import, since parameters are read everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class InternVidFilters:
    """What a row must be like; None turns a filter off. A row without the score fails a minimum that is asked for."""

    min_aesthetic_score: float | None = 6.0
    """EditWorld's (section 3.2)."""
    min_umt_score: float | None = None
    """InternVid's measure of how well the caption fits."""
    max_seconds: float | None = 120.0
    """Longest clip."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not math.isfinite(value):
                raise BadInputError(f"{name} is {value}; it is a number")
