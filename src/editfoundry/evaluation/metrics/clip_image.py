"""CLIP image similarity: how much of the reference CLIP still sees in the edit."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.evaluation.metrics.clip_embeddings import CLIP, edited_embeds, reference_embeds
from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.judging.clip_similarity import similarity


def _likeness(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    cosines: list[float] = similarity(edited_embeds(edits, rows), reference_embeds(edits, rows)).tolist()
    return cosines


CLIP_IMAGE = Metric(
    name="clip_image",
    label="CLIP image similarity",
    measures="Cosine of edit and reference (InstructPix2Pix, section 4; Emu Edit, section 5).",
    unit="cosine",
    higher_is_better=True,
    compute=_likeness,
    needs=("reference",),
    model=CLIP,
)
