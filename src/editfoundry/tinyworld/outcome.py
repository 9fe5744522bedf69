"""Outcome accuracy: did the edit become what the world makes of it? Needs no model, only the ground truth.

An edit is *right* when, inside the region that truly changes, it is nearer (L2) to the true outcome than to the input
and to every one of at least twelve wrong outcomes, and its squared error there is less than half of the input's. It is
*sharp* when that error is less than a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from editfoundry.errors import BadInputError
from editfoundry.tinyworld.edit_case import EditCase

CHANGE_THRESHOLD = 8
"""A pixel truly changes when one of its channels differs by more than this, of 255: enough to pass over rounding and
anti-aliasing, too little to be seen."""

RULE_VERSION = 2
"""Part of the hash of whatever was judged by the rule below."""
RIGHT_ERROR = 0.5
"""An edit is right below this share of the input's error: it has gone most of the way to the truth."""
SHARP_ERROR = 0.25
"""An edit is sharp below this share: a person takes it for the truth without doubt."""

Outcome = Literal["truth", "input", "wrong"]


@dataclass(frozen=True)
class OutcomeVerdict:
    """What an edit became, inside the region that truly changes."""

    nearest: Outcome
    """What it is nearest to (L2): ``truth`` only when strictly nearer to it than to all others."""
    error: float
    """Its squared error against the truth, as a share of the input's: 0 for the truth, 1 for doing nothing."""

    @property
    def right(self) -> bool:
        """Whether it is nearest to the truth, and has less than half of the input's error."""
        return self.nearest == "truth" and self.error < RIGHT_ERROR

    @property
    def sharp(self) -> bool:
        """Whether it is right, and has less than a quarter of the input's error."""
        return self.right and self.error < SHARP_ERROR


def changed_region(input_image: np.ndarray, true_output: np.ndarray) -> np.ndarray:
    """Return the ``(H, W)`` bool region that truly changes between two ``(H, W, 3)`` uint8 RGB images."""
    difference = np.abs(input_image.astype(np.int16) - true_output.astype(np.int16))
    region: np.ndarray = difference.max(axis=-1) > CHANGE_THRESHOLD
    return region


def judge_outcome(edited: np.ndarray, case: EditCase) -> OutcomeVerdict:
    """Judge an edit by what it shows inside the region that truly changes.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, the case's size.
        case: the edit that was asked for.
    """
    region = changed_region(case.input_image, case.true_output)
    candidates = np.stack([case.input_image, *case.wrong_outputs, case.true_output])[:, region].astype(np.float64)
    distances = np.square(candidates - edited[region].astype(np.float64)).sum(axis=(1, 2))
    nearest = int(distances.argmin())
    outcome: Outcome = "truth" if nearest == len(candidates) - 1 else "input" if nearest == 0 else "wrong"
    return OutcomeVerdict(outcome, float(distances[-1] / np.square(candidates[0] - candidates[-1]).sum()))


def defect(case: EditCase) -> str | None:
    """Return why no edit could answer the case rightly; None when one could.

    Whoever draws a benchmark leaves such cases out; ``check_case`` refuses them.
    """
    region = changed_region(case.input_image, case.true_output)
    if not region.any():
        return f"input and true output differ nowhere by more than {CHANGE_THRESHOLD} of 255"
    for number, wrong in enumerate(case.wrong_outputs, start=1):
        if np.array_equal(wrong[region], case.true_output[region]):
            return f"wrong outcome {number} equals the true outcome wherever things change"
    return None


def check_case(case: EditCase) -> None:
    """Make sure that the case can be answered rightly.

    Raises:
        BadInputError: nothing changes, or a wrong outcome equals the true one where things change.
    """
    found = defect(case)
    if found is not None:
        raise BadInputError(f"case {case.id} ({case.rule}): {found}; leave it out of the benchmark")
