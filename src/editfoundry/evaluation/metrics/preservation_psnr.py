"""Preservation: the PSNR against the input outside the region that truly changes, which tinyworld knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric, Undefined, Value
from editfoundry.evaluation.preservation import preservation_mse, psnr


def _kept(edits: EditedBatch, rows: Sequence[int]) -> list[Value]:
    return [_of_row(edits, row) for row in rows]


def _of_row(edits: EditedBatch, row: int) -> Value:
    case = edits.item(row).case
    error = None if case is None else preservation_mse(np.asarray(edits.edit(row)), case)
    return Undefined("the whole picture truly changes") if error is None else psnr(error)


PRESERVATION = Metric(
    name="preservation_psnr",
    label="Preservation",
    measures="PSNR against the input outside the region that truly changes (of several turns, that any of them "
    "changes); infinite where nothing there was touched.",
    unit="dB",
    higher_is_better=True,
    compute=_kept,
    needs=("case",),
    preprocessing="PSNR against the input outside the region that truly changes, 8-bit RGB",
    decimals=1,
)
