"""Scores the edits of several editors on one benchmark, batch by batch, whatever they share computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.metrics.clip_metrics import (
    CaptionEmbeddings,
    clip_metrics,
    embed_captions,
    embed_references,
)
from editfoundry.evaluation.metrics.edits import ItemPictures, MadeEdit
from editfoundry.evaluation.metrics.feature_metrics import dino_similarities, embed_by_dino, lpips_distances
from editfoundry.evaluation.metrics.judge_metrics import judge_metrics
from editfoundry.evaluation.metrics.metric import GROUND_TRUTH_METRICS, METRICS, Metric, Scores, describe
from editfoundry.evaluation.metrics.models import MetricModels
from editfoundry.evaluation.metrics.pixel_metrics import pixel_metrics
from editfoundry.evaluation.metrics.truth_metrics import truth_metrics


@dataclass(frozen=True, eq=False)
class _Shared:
    """What all editors' edits of a batch of B items are compared with."""

    references: list[Image.Image | None]
    clip: tuple[np.ndarray, np.ndarray] | None
    """Embeddings of inputs and of references, ``(B, D)`` each."""
    dino: np.ndarray | None
    """``(B, D)``."""


class Scorer:
    """Scores batches of a benchmark; the captions' embeddings are computed when it is made."""

    def __init__(self, models: MetricModels, benchmark: Benchmark, seed: int = 0) -> None:
        self._models, self._benchmark = models, benchmark
        self._has_truth = any(item.case is not None for item in benchmark.items)
        clip = models.clip
        self._captions: CaptionEmbeddings | None = None if clip is None else embed_captions(clip, benchmark.items, seed)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that this benchmark can have, those whose model is missing too."""
        return tuple(m for m in METRICS if self._has_truth or m.name not in GROUND_TRUTH_METRICS)

    def described(self) -> dict[str, dict[str, Any]]:
        """Return the section ``metrics`` of ``metrics.json``."""
        reference = self._benchmark.reference
        return {m.name: describe(m, self._models.measured_by(m), reference) for m in self.metrics}

    def score(
        self, pictures: Sequence[ItemPictures], edited: Mapping[str, Sequence[Image.Image | None]]
    ) -> dict[str, list[Scores]]:
        """Score one batch.

        Args:
            pictures: of B items.
            edited: editor -> B edits, RGB, None where there is none.

        Returns:
            Editor -> the scores of each item; None for all metrics of an edit that is not there.
        """
        if not pictures:
            return {editor: [] for editor in edited}
        shared = self._shared(pictures)
        scored: dict[str, list[Scores]] = {}
        for editor, images in edited.items():
            made = [n for n, image in enumerate(images) if image is not None]
            edits = [MadeEdit(pictures=pictures[n], edited=image) for n in made if (image := images[n]) is not None]
            rows: list[Scores] = [dict.fromkeys(metric.name for metric in self.metrics) for _ in images]
            for n, values in zip(made, self._of_edits(edits, made, shared), strict=True):
                rows[n] |= {name: value for name, value in values.items() if name in rows[n]}
            scored[editor] = rows
        return scored

    def _shared(self, pictures: Sequence[ItemPictures]) -> _Shared:
        models, reference = self._models, self._benchmark.reference
        references = [p.reference(reference) for p in pictures]
        return _Shared(
            references=references,
            clip=None if models.clip is None else embed_references(models.clip, pictures, reference),
            dino=None if models.dino is None else embed_by_dino(models.dino, references),
        )

    def _of_edits(self, edits: Sequence[MadeEdit], places: list[int], shared: _Shared) -> list[Scores]:
        if not edits:
            return []
        models = self._models
        edited = [edit.edited for edit in edits]
        references = [shared.references[place] for place in places]
        parts = [pixel_metrics(edited, references), [truth_metrics(edit) for edit in edits]]
        if models.clip is not None and shared.clip is not None and self._captions is not None:
            inputs, targets = shared.clip
            parts.append(clip_metrics(models.clip, edits, self._captions, inputs[places], targets[places]))
        if models.dino is not None and shared.dino is not None:
            parts.append([{"dino": v} for v in dino_similarities(models.dino, edited, shared.dino[places])])
        if models.lpips is not None:
            parts.append([{"lpips": value} for value in lpips_distances(models.lpips, edited, references)])
        if models.vision_language_model is not None:
            parts.append(judge_metrics(models.vision_language_model, edits))
        return [{name: value for part in row for name, value in part.items()} for row in zip(*parts, strict=True)]


def batches(items: Sequence[BenchmarkItem], size: int) -> list[Sequence[BenchmarkItem]]:
    """Return consecutive parts of at most ``size`` items."""
    return [items[start : start + size] for start in range(0, len(items), size)]
