"""What tinyworld's own ground truth says of an edit."""

from __future__ import annotations

import numpy as np

from editfoundry.evaluation.metrics.edits import MadeEdit
from editfoundry.evaluation.metrics.metric import Scores
from editfoundry.evaluation.preservation import preservation_mse, psnr
from editfoundry.tinyworld.outcome import nearest_outcome

OUTCOME_PREPROCESSING = "nearest (L2) of truth, input and wrong outcomes, inside the region that truly changes"
PRESERVATION_PREPROCESSING = "PSNR against the input outside the region that truly changes, 8-bit RGB"


def truth_metrics(edit: MadeEdit) -> Scores:
    """Return whether the outcome is right, 0 or 1, and the preservation in dB; None where no case is known."""
    case = edit.pictures.item.case
    if case is None:
        return {"outcome": None, "preservation_psnr": None}
    edited = np.asarray(edit.edited)
    error = preservation_mse(edited, case)
    return {
        "outcome": float(nearest_outcome(edited, case) == "truth"),
        "preservation_psnr": None if error is None else psnr(error),
    }
