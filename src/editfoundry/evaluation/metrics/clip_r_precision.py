"""CLIP-R-Precision (Park et al., 2021): whether an edit's own caption fits it best, of many of the benchmark's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.metrics.clip_embeddings import CLIP, caption_embeds, edited_embeds
from editfoundry.evaluation.metrics.edited_batch import EditedBatch, Measurement
from editfoundry.evaluation.metrics.metric import Metric, Undefined, Value

NUM_CANDIDATES = 100
"""Captions to choose from: an edit's own and up to 99 others, drawn by the item's seed."""


def _is_retrieved(edits: EditedBatch, rows: Sequence[int]) -> list[Value]:
    measurement = edits.batch.measurement
    captions, outputs = caption_embeds(measurement), _output_rows(measurement)
    values: list[Value] = []
    for row, edited in zip(rows, edited_embeds(edits, rows), strict=True):
        item = edits.item(row)
        candidates = _candidates(captions.rows[item.output_caption or ""], outputs, seed_of(item.id, measurement.seed))
        fits = captions.embeds[candidates] @ edited
        if len(fits) > 1:
            values.append(float(fits[0] > fits[1:].max()))
        else:
            values.append(Undefined("the benchmark has no other caption to choose from"))
    return values


def _output_rows(measurement: Measurement) -> np.ndarray:
    """Return the rows of the benchmark's distinct output captions."""
    rows = caption_embeds(measurement).rows
    named = {rows[item.output_caption] for item in measurement.benchmark.items if item.output_caption is not None}
    return measurement.once("output captions", lambda: np.array(sorted(named), dtype=int))


def _candidates(own: int, outputs: np.ndarray, seed: int) -> np.ndarray:
    others = outputs[outputs != own]
    if len(others) >= NUM_CANDIDATES:
        others = np.random.default_rng(seed).choice(others, NUM_CANDIDATES - 1, replace=False)
    return np.concatenate([[own], others])


CLIP_R_PRECISION = Metric(
    name="clip_r_precision",
    label="CLIP-R-Precision",
    measures="1 when the edit's own caption fits it strictly best, of up to 100 output captions of the benchmark.",
    unit="0 or 1",
    higher_is_better=True,
    compute=_is_retrieved,
    needs=("output_caption",),
    model=CLIP,
    preprocessing=f"own caption against up to {NUM_CANDIDATES - 1} others of the benchmark, drawn by seed",
    drawn_from=lambda benchmark: [item.output_caption for item in benchmark.items if item.output_caption],
    decimals=2,
)
