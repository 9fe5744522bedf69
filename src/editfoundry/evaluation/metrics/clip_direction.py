"""CLIP directional similarity: whether the picture moved the way its captions did (InstructPix2Pix, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.evaluation.metrics.clip_embeddings import (
    CLIP,
    caption_embeds,
    edited_embeds,
    input_embeds,
    output_caption_embeds,
)
from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric, Undefined, Value
from editfoundry.judging.clip_similarity import direction_similarity, undefined_direction


def _direction(edits: EditedBatch, rows: Sequence[int]) -> list[Value]:
    values: dict[int, Value] = {}
    for row in rows:
        reason = undefined_direction(edits.item(row).input_caption, edits.item(row).output_caption)
        if reason is not None:
            values[row] = Undefined(reason)
    known = [row for row in rows if row not in values]
    if known:
        before = caption_embeds(edits.batch.measurement).of([edits.item(row).input_caption or "" for row in known])
        cosines = direction_similarity(
            input_embeds(edits, known), edited_embeds(edits, known), before, output_caption_embeds(edits, known)
        )
        values |= dict(zip(known, cosines.tolist(), strict=True))
    return [values[row] for row in rows]


CLIP_DIRECTION = Metric(
    name="clip_direction",
    label="CLIP directional similarity",
    measures="Cosine of the edit's change and the captions' change; undefined between equal captions.",
    unit="cosine",
    higher_is_better=True,
    compute=_direction,
    model=CLIP,
    preprocessing="cos(I1 - I0, T1 - T0) of unit embeddings (InstructPix2Pix)",
)
