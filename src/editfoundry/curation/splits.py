"""Puts each triplet into a split; whatever shares an input caption goes into the same one."""

from __future__ import annotations

from dataclasses import dataclass

from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class SplitShares:
    """How much of the data each split gets; training gets the rest."""

    validation: float = 0.05
    """Share in [0, 1)."""
    test: float = 0.05
    """Share in [0, 1)."""

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise BadInputError("the shares of validation and test are at least 0 and add up to less than 1")


def split_of(input_caption: str, shares: SplitShares, seed: int) -> str:
    """Return ``train``, ``validation`` or ``test``; it depends on the caption's words and the seed alone."""
    words = " ".join(input_caption.lower().split())
    draw = int(short_hash("split", str(seed), words), 16) / 2**64
    if draw < shares.test:
        return "test"
    return "validation" if draw < shares.test + shares.validation else "train"
