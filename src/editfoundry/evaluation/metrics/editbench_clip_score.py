"""EditBench's CLIPScore: the mask's crop against a mask prompt, the whole picture against the full prompt."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.evaluation.metrics.clip_embeddings import CLIP, compared_embeds, output_caption_embeds
from editfoundry.evaluation.metrics.edited_batch import EditedBatch
from editfoundry.evaluation.metrics.metric import Metric
from editfoundry.judging.clip_similarity import similarity


def _fit(edits: EditedBatch, rows: Sequence[int]) -> list[float]:
    fits: list[float] = similarity(compared_embeds(edits, rows), output_caption_embeds(edits, rows)).tolist()
    return fits


EDITBENCH_CLIP_SCORE = Metric(
    name="editbench_clip_score",
    label="EditBench CLIPScore",
    measures="Cosine of the prompt with the mask's crop (Mask-Simple, Mask-Rich) or with the whole picture (Full) "
    "(Imagen Editor, section 5).",
    unit="cosine",
    higher_is_better=True,
    compute=_fit,
    needs=("compares", "output_caption"),
    model=CLIP,
    preprocessing="the mask's crop is the box of its white; papers print 100 times this cosine",
    has_bounds=True,
)
