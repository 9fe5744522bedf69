"""Outcome accuracy: whether the edit became what tinyworld makes of the instruction; needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.tinyworld.outcome import RIGHT_ERROR, SHARP_ERROR, OutcomeVerdict, judge_outcome


def outcome_verdicts(edits: EditedBatch) -> dict[int, OutcomeVerdict]:
    """Return row -> what the edit became, of the edits whose truth is known."""
    return edits.once("outcome verdicts", lambda: _judged(edits))


def _judged(edits: EditedBatch) -> dict[int, OutcomeVerdict]:
    cases = {row: edits.item(row).case for row in edits.made}
    return {row: judge_outcome(np.asarray(edits.edit(row)), case) for row, case in cases.items() if case is not None}


def _share(holds: Callable[[OutcomeVerdict], bool]) -> Callable[[EditedBatch, Sequence[int]], list[float]]:
    def compute(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
        verdicts = outcome_verdicts(edits)
        return [float(holds(verdicts[row])) for row in rows]

    return compute


def _outcome_metric(name: str, label: str, measures: str, holds: Callable[[OutcomeVerdict], bool]) -> Metric:
    return Metric(
        name=name,
        label=label,
        measures=measures,
        unit="0 or 1",
        higher_is_better=True,
        compute=_share(holds),
        needs=("case",),
        preprocessing="L2 inside the region that truly changes; in a hole, against the things that were read there",
        decimals=2,
    )


RIGHT = _outcome_metric(
    "right",
    "Right",
    "1 when, inside the region that truly changes, the edit is nearer (L2) to the true outcome than to the input and "
    f"to at least 12 wrong outcomes, and its squared error is below {RIGHT_ERROR} of the input's.",
    lambda verdict: verdict.right,
)
SHARP = _outcome_metric(
    "sharp",
    "Sharp",
    f"1 when the edit is right and its squared error is below {SHARP_ERROR} of the input's.",
    lambda verdict: verdict.sharp,
)
