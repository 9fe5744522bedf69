"""CLIP score: how well the edit fits the caption of the true outcome; Emu Edit reports the same cosine as CLIP-out."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.evaluation.metrics.clip_embeddings import CLIP, edited_embeds, output_caption_embeds
from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.judging.clip_similarity import similarity


def _fit(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    fits: list[float] = similarity(edited_embeds(edits, rows), output_caption_embeds(edits, rows)).tolist()
    return fits


CLIP_SCORE = Metric(
    name="clip_score",
    label="CLIP score",
    measures="Cosine of edit and output caption (EditWorld, section 5).",
    unit="cosine",
    higher_is_better=True,
    compute=_fit,
    needs=("output_caption",),
    model=CLIP,
    preprocessing="cosine with the output caption (EditWorld)",
    has_bounds=True,
)
CLIP_OUTPUT = Metric(
    name="clip_output",
    label="CLIP-out",
    measures="The same cosine as CLIP score, under Emu Edit's name (Emu Edit, section 5).",
    unit="cosine",
    higher_is_better=True,
    compute=_fit,
    needs=("output_caption",),
    model=CLIP,
    preprocessing="the same cosine as CLIP score, under Emu Edit's name",
)
