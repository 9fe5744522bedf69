"""Outcome accuracy: did the edit become what the world makes of it? Needs no model, only the ground truth.

An edit is *right* when, inside the region that truly changes, it is nearer (L2) to the true outcome than to the input
and to every one of at least twelve wrong outcomes, and its squared error there is less than half of the input's. It is
*sharp* when that error is less than a quarter.

Where the instruction leaves something open, as where exactly a thing stands that is added, the true outcome is that of
all allowed ones which the edit is nearest to.

What is painted into a hole may stand a little elsewhere than what stood there, and may differ in what the prompt leaves
open. There the edit is read, see `editbench.hole_reading`: it is right when the things that it shows have everything
that the prompt asks for, and the squared error against these things is less than half of the hole's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.editbench.hole import Hole
from editfoundry.tinyworld.editbench.hole_reading import at_world_size, read_hole

CHANGE_THRESHOLD = 8
"""A pixel truly changes when one of its channels differs by more than this, of 255: enough to pass over rounding and
anti-aliasing, too little to be seen."""

RULE_VERSION = 3
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
    """Return the ``(..., H, W)`` bool region that truly changes between ``(..., H, W, 3)`` RGB images in [0, 255]."""
    difference = np.abs(input_image.astype(np.int16) - true_output.astype(np.int16))
    # Channel by channel: numpy is slow over an axis of three.
    region: np.ndarray = np.maximum.reduce([difference[..., c] for c in range(3)]) > CHANGE_THRESHOLD
    return region


def judge_outcome(edited: np.ndarray, case: EditCase) -> OutcomeVerdict:
    """Judge an edit by what it shows inside the region that truly changes.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, the case's size.
        case: the edit that was asked for.
    """
    if case.hole is not None:
        return _judge_painted(edited, case, case.hole)
    truth = _meant(edited, case)
    region = changed_region(case.input_image, truth)
    candidates = np.stack([case.input_image, *case.wrong_outputs, truth])[:, region].astype(np.float64)
    distances = np.square(candidates - edited[region].astype(np.float64)).sum(axis=(1, 2))
    nearest = int(distances.argmin())
    outcome: Outcome = "truth" if nearest == len(candidates) - 1 else "input" if nearest == 0 else "wrong"
    return OutcomeVerdict(outcome, float(distances[-1] / np.square(candidates[0] - candidates[-1]).sum()))


def _meant(edited: np.ndarray, case: EditCase) -> np.ndarray:
    """Return that of the outcomes which the instruction allows that an edit is nearest to."""
    truth: np.ndarray = meant_outcomes(edited[None], case)[0]
    return truth


def meant_outcomes(edited: np.ndarray, case: EditCase) -> np.ndarray:
    """Return for each of ``(N, H, W, 3)`` uint8 pictures that of the allowed outcomes which it is nearest to."""
    if case.open_outputs is None:
        return np.broadcast_to(case.true_output, edited.shape)
    allowed = np.stack([case.true_output, *case.open_outputs])
    # In doubles, sums of products of bytes are exact.
    flat, pictures = (stack.reshape(len(stack), -1).astype(np.float64) for stack in (allowed, edited))
    distances = np.einsum("kd,kd->k", flat, flat) - 2 * (pictures @ flat.T)
    return allowed[distances.argmin(axis=1)]


def asked_attributes(edited: np.ndarray, case: EditCase) -> dict[str, bool]:
    """Return attribute -> whether what was painted into the case's hole has it, of those that are asked for.

    Where the hole's squared error against what was read there is not less than half of the empty hole's, nothing can be
    made out, and all of them are wrong. Without a hole nothing is asked for.

    Args:
        edited: ``(H, W, 3)`` uint8 RGB, the case's size.
        case: the edit that was asked for.
    """
    if case.hole is None:
        return {}
    reading = read_hole(edited, case.hole)
    can_be_read = reading.error < RIGHT_ERROR * _hole_error(case.input_image, reading.picture, case.hole)
    return {name: right and can_be_read for name, right in case.hole.rights(reading.things).items()}


def judged_region(case: EditCase) -> np.ndarray:
    """Return the ``(H, W)`` bool region in which an edit is judged: a hole, otherwise what truly changes."""
    if case.hole is None:
        return changed_region(case.input_image, case.true_output)
    mask = Image.fromarray(case.hole.mask).resize(case.input_image.shape[1::-1], Image.Resampling.NEAREST)
    return np.asarray(mask)


def _judge_painted(edited: np.ndarray, case: EditCase, hole: Hole) -> OutcomeVerdict:
    reading = read_hole(edited, hole)
    is_right = all(asked_attributes(edited, case).values())
    wanted = reading.picture if is_right else at_world_size(case.true_output).astype(np.float32)
    error = _hole_error(edited, wanted, hole)
    from_input = _hole_error(edited, at_world_size(case.input_image).astype(np.float32), hole)
    outcome: Outcome = "truth" if is_right else "input" if from_input < reading.error else "wrong"
    return OutcomeVerdict(outcome, error / _hole_error(case.input_image, wanted, hole))


def _hole_error(picture: np.ndarray, wanted: np.ndarray, hole: Hole) -> float:
    """Return the squared error within a hole, at tinyworld's size."""
    difference = (at_world_size(picture).astype(np.float32) - wanted)[hole.mask]
    return float(np.square(difference, dtype=np.float64).sum())


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
