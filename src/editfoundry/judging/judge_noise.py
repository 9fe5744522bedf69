"""How much a judge's scores vary: some triplets are judged twice, and their two scores compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from editfoundry.judging.judge import Judgement

JUDGED_TWICE, DIFFERENCE = "judged_twice", "judge_difference"
"""Totals of a stage: triplets that were judged twice, and the sum of the differences of their scores."""
NOISE = "judge_noise"
"""The mean of these differences."""


def is_repeated(triplet_id: str, share: float) -> bool:
    """Return whether a triplet is among the ``share`` that is judged twice; its id, 16 hex digits, decides."""
    return int(triplet_id, 16) < share * 16 ** len(triplet_id)


@dataclass
class JudgeNoise:
    """Sums over the triplets that were judged twice."""

    num_twice: int = 0
    difference: float = 0.0
    """Of `Judgement.score`, in [0, 1]."""

    def add(self, first: Sequence[Judgement], second: Sequence[Judgement]) -> None:
        """Take up two judgements of each of several triplets; one that could not be read tells nothing."""
        for one, other in zip(first, second, strict=True):
            if not (one.unparsed or other.unparsed):
                self.num_twice += 1
                self.difference += abs(one.score - other.score)


def with_noise(totals: dict[str, float]) -> dict[str, float]:
    """Return a stage's totals with the mean difference in the place of the sum."""
    found = dict(totals)
    difference = found.pop(DIFFERENCE, 0.0)
    return {**found, NOISE: round(difference / found[JUDGED_TWICE], 4)} if found.get(JUDGED_TWICE) else found
