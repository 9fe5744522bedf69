"""EditBench's CLIP-R-Precision (Park et al., 2021): how often an edit finds its own prompt among distractors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from editfoundry.evaluation.cases import seed_of
from editfoundry.evaluation.metrics.clip_embeddings import CLIP, CaptionEmbeddings, caption_embeds, compared_embeds
from editfoundry.evaluation.metrics.edited_batch import EditedBatch, Measurement
from editfoundry.evaluation.metrics.metric import Metric, Undefined, Value

NUM_DISTRACTORS = 99
"""Prompts of the same kind and with other words that stand beside the own one, if there are so many."""
NUM_DRAWS = 10
"""Draws of the distractors that an edit's value is the mean over."""


def _precision(edits: EditedBatch, rows: Sequence[int]) -> list[Value]:
    measurement = edits.batch.measurement
    captions, prompts = caption_embeds(measurement), _prompt_rows(measurement)
    values: list[Value] = []
    for row, embed in zip(rows, compared_embeds(edits, rows), strict=True):
        item = edits.item(row)
        own = captions.rows[item.output_caption or ""]
        others = prompts[item.category][prompts[item.category] != own]
        values.append(_share_of_draws(captions, own, others, embed, item.id, measurement.seed))
    return values


def _prompt_rows(measurement: Measurement) -> dict[str, np.ndarray]:
    """Return category -> the rows of its distinct prompts: a Mask-Simple prompt stands beside others of its kind."""

    def gather() -> dict[str, np.ndarray]:
        rows = caption_embeds(measurement).rows
        found: dict[str, set[int]] = {}
        for item in measurement.benchmark.items:
            if item.output_caption is not None:
                found.setdefault(item.category, set()).add(rows[item.output_caption])
        return {category: np.array(sorted(known), dtype=int) for category, known in found.items()}

    return measurement.once("prompts by category", gather)


def _share_of_draws(
    captions: CaptionEmbeddings, own: int, others: np.ndarray, embed: Tensor, identifier: str, seed: int
) -> Value:
    """Return the share of draws in which the own prompt fits strictly best; each draw has a seed of its own."""
    if not len(others):
        return Undefined("the benchmark has no other prompt of its kind to choose from")
    fits = (captions.embeds[np.concatenate([[own], others])] @ embed).numpy(force=True)
    if len(others) <= NUM_DISTRACTORS:
        return float(fits[0] > fits[1:].max())
    draws = [np.random.default_rng(seed_of(f"{identifier} draw {number}", seed)) for number in range(NUM_DRAWS)]
    found = [fits[0] > random.choice(fits[1:], NUM_DISTRACTORS, replace=False).max() for random in draws]
    return float(np.mean(found))


EDITBENCH_R_PRECISION = Metric(
    name="editbench_r_precision",
    label="EditBench CLIP-R-Precision",
    measures=f"Share of {NUM_DRAWS} draws in which the own prompt fits the mask's crop (Full: the picture) best, "
    f"strictly, of itself and {NUM_DISTRACTORS} prompts of its kind.",
    unit="0 to 1",
    higher_is_better=True,
    compute=_precision,
    needs=("compares", "output_caption"),
    model=CLIP,
    preprocessing=f"top-1 of the own prompt and {NUM_DISTRACTORS} others of its kind with other words (all, where "
    f"there are fewer), mean over {NUM_DRAWS} draws by the run's seed and the item's id",
    drawn_from=lambda benchmark: [f"{i.category}: {i.output_caption}" for i in benchmark.items if i.output_caption],
    decimals=3,
)
