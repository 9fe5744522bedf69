"""Outcome accuracy: whether the edit became what tinyworld makes of the instruction; needs no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.tinyworld.outcome import Outcome, nearest_outcome


def nearest_outcomes(edits: EditedBatch) -> dict[int, Outcome]:
    """Return row -> what the edit is nearest to, of the edits whose truth is known."""
    return edits.once("nearest outcomes", lambda: _nearest(edits))


def _nearest(edits: EditedBatch) -> dict[int, Outcome]:
    cases = {row: edits.item(row).case for row in edits.made}
    return {row: nearest_outcome(np.asarray(edits.edit(row)), case) for row, case in cases.items() if case is not None}


def _is_right(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    nearest = nearest_outcomes(edits)
    return [float(nearest[row] == "truth") for row in rows]


OUTCOME = Metric(
    name="outcome",
    label="Outcome accuracy",
    measures=(
        "1 when the edit is nearer (L2) to the true outcome than to the input and to every plausible wrong outcome, "
        "inside the region that truly changes."
    ),
    unit="0 or 1",
    higher_is_better=True,
    compute=_is_right,
    needs=("case",),
    preprocessing="nearest (L2) of truth, input and wrong outcomes, inside the region that truly changes",
    decimals=2,
)
