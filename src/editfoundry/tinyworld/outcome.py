"""Outcome accuracy: did the edit become what the world makes of it? Needs no model, only the ground truth."""

from __future__ import annotations

from typing import Literal

import numpy as np

from editfoundry.errors import BadInputError
from editfoundry.tinyworld.edit_case import EditCase

CHANGE_THRESHOLD = 8
"""A pixel truly changes when one of its channels differs by more than this, of 255: enough to pass over rounding and
anti-aliasing, too little to be seen."""

Outcome = Literal["truth", "input", "wrong"]


def changed_region(input_image: np.ndarray, true_output: np.ndarray) -> np.ndarray:
    """Return the ``(H, W)`` bool region that truly changes between two ``(H, W, 3)`` uint8 RGB images."""
    difference = np.abs(input_image.astype(np.int16) - true_output.astype(np.int16))
    region: np.ndarray = difference.max(axis=-1) > CHANGE_THRESHOLD
    return region


def nearest_outcome(edited: np.ndarray, case: EditCase) -> Outcome:
    """Return what ``edited`` is nearest to (L2) inside the region that truly changes.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, the case's size.
        case: the edit that was asked for.

    Returns:
        ``truth`` only when it is strictly nearer to the true outcome than to the input and to every wrong outcome.
    """
    region = changed_region(case.input_image, case.true_output)
    candidates = np.stack([case.input_image, *case.wrong_outputs, case.true_output])[:, region].astype(np.float64)
    distances = np.square(candidates - edited[region].astype(np.float64)).sum(axis=(1, 2))
    nearest = int(distances.argmin())
    if nearest == len(candidates) - 1:
        return "truth"
    return "input" if nearest == 0 else "wrong"


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
