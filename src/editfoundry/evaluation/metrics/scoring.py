"""Scores the edits of several editors on one benchmark, batch by batch, whatever they share computed once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.controls import TRUTH
from editfoundry.evaluation.metrics import all_metrics
from editfoundry.evaluation.metrics.edited_batch import EditedBatch, ItemBatch, ItemPictures, Measurement
from editfoundry.evaluation.metrics.metric import Metric, Undefined, describe
from editfoundry.evaluation.metrics.metric_models import MetricModels
from editfoundry.evaluation.metrics.outcome_accuracy import outcome_verdicts
from editfoundry.tinyworld.outcome import OutcomeVerdict

NUM_COSTLY_CONTROLS = 32
"""Items at the start of a benchmark whose controls the costly metrics see."""


@dataclass(kw_only=True)
class ItemScores:
    """What was measured of one edit."""

    values: dict[str, float | None]
    """Metric -> value; None where there is none."""
    undefined: dict[str, str] = field(default_factory=dict)
    """Metric -> why it has no value, where nothing that it needs is absent."""
    verdict: OutcomeVerdict | None = None
    """What the edit became, where the truth is known."""


class MetricScorer:
    """Scores batches of a benchmark."""

    def __init__(
        self, models: MetricModels, benchmark: Benchmark, seed: int = 0, only: Sequence[str] | None = None
    ) -> None:
        """Choose the metrics that this benchmark can have, those whose model is missing too.

        Args:
            models: of the metrics.
            benchmark: its captions are embedded when the first metric asks for them.
            seed: of what metrics draw.
            only: names of metrics; by default all.

        Raises:
            BadInputError: ``only`` names no metric.
        """
        self._measurement = Measurement(benchmark, models, seed)
        special = {
            "case": any(item.case is not None for item in benchmark.items),
            "compares": any(item.compares is not None for item in benchmark.items),
        }
        known = {metric.name: metric for metric in all_metrics.METRICS}
        for name in only or ():
            if name not in known:
                raise BadInputError(f"no metric {name!r}: use {', '.join(known)}")
        chosen = [metric for name, metric in known.items() if only is None or name in only]
        able = [metric for metric in chosen if all(special.get(need, True) for need in metric.needs)]
        self.metrics = tuple(metric for metric in able if any(map(metric.applies, benchmark.items)))

    def described(self) -> dict[str, dict[str, Any]]:
        """Return the section ``metrics`` of ``metrics.json``."""
        measurement = self._measurement
        return {m.name: describe(m, measurement.models.measured_by(m), measurement.benchmark) for m in self.metrics}

    def score(
        self,
        pictures: Sequence[ItemPictures],
        edited: Mapping[str, Sequence[Image.Image | None]],
        trivial: Sequence[Mapping[str, Image.Image | None]] | None = None,
        cheap_only: Collection[str] = (),
    ) -> tuple[dict[str, list[ItemScores]], list[dict[str, dict[str, float]]]]:
        """Score one batch.

        Args:
            pictures: of B items.
            edited: editor -> B edits, RGB, None where there is none.
            trivial: of each of the B items, name -> a picture that no editor made. Costly metrics see those of the
                benchmark's first `NUM_COSTLY_CONTROLS` items.
            cheap_only: of the names of ``edited``, those that costly metrics do not see.

        Returns:
            Editor -> the scores of each item, no value for an edit that is not there; and of each item its bounds, as
            ``{"input": {metric: value}, "truth": {metric: value}}``: what doing nothing and the true outcome score by
            the metrics that reports always show them of; with ``trivial``, what each of its pictures and the true
            outcome score by every metric.
        """
        if not pictures:
            return {editor: [] for editor in edited}, []
        batch = ItemBatch(self._measurement, pictures)
        scored = {}
        for editor, images in edited.items():
            edits = EditedBatch(batch, images)
            metrics = self._cheap() if editor in cheap_only else self.metrics
            scored[editor] = self._scores(edits, metrics)
            for row, verdict in outcome_verdicts(edits).items():
                scored[editor][row].verdict = verdict
        return scored, self._bounds(batch, trivial)

    def _cheap(self) -> list[Metric]:
        return [metric for metric in self.metrics if not metric.is_costly]

    def _bounds(
        self, batch: ItemBatch, trivial: Sequence[Mapping[str, Image.Image | None]] | None
    ) -> list[dict[str, dict[str, float]]]:
        made: dict[str, Sequence[Image.Image | None]] = {"input": batch.inputs}
        if trivial:
            made = {name: [known[name] for known in trivial] for name in trivial[0]}
        made[TRUTH] = [pictures.truth for pictures in batch.pictures]
        if trivial:
            scored = {name: self._control_scores(batch, images) for name, images in made.items()}
        else:
            metrics = [metric for metric in self.metrics if metric.has_bounds]
            scored = {name: self._scores(EditedBatch(batch, images), metrics) for name, images in made.items()}
        return [
            {name: {m: v for m, v in rows[place].values.items() if v is not None} for name, rows in scored.items()}
            for place in range(len(batch.pictures))
        ]

    def _control_scores(self, batch: ItemBatch, images: Sequence[Image.Image | None]) -> list[ItemScores]:
        """Score pictures by every metric, those of the benchmark's first items alone by the costly ones."""
        early = {item.id for item in self._measurement.benchmark.items[:NUM_COSTLY_CONTROLS]}
        are_early = [pictures.item.id in early for pictures in batch.pictures]
        first = [image if is_early else None for image, is_early in zip(images, are_early, strict=True)]
        cheap = self._scores(EditedBatch(batch, images), self._cheap())
        costly = self._scores(EditedBatch(batch, first), [metric for metric in self.metrics if metric.is_costly])
        found = [one.values | other.values for one, other in zip(cheap, costly, strict=True)]
        return [ItemScores(values={metric.name: values[metric.name] for metric in self.metrics}) for values in found]

    def _scores(self, edits: EditedBatch, metrics: Sequence[Metric]) -> list[ItemScores]:
        rows = [ItemScores(values=dict.fromkeys(metric.name for metric in metrics)) for _ in edits.images]
        for metric in metrics:
            able = [row for row in edits.made if not _lacks(metric, edits, row)]
            if not able or not self._measurement.models.can_measure(metric):
                continue
            for row, value in zip(able, metric.compute(edits, able), strict=True):
                if isinstance(value, Undefined):
                    rows[row].undefined[metric.name] = value.reason
                else:
                    rows[row].values[metric.name] = value
        return rows


def _lacks(metric: Metric, edits: EditedBatch, row: int) -> bool:
    item = edits.item(row)
    there = {
        "case": item.case is not None,
        "compares": item.compares is not None,
        "output_caption": item.output_caption is not None,
        "reference": edits.batch.references[row] is not None,
    }
    return not all(there[need] for need in metric.needs) or not metric.applies(item)


def batches(items: Sequence[BenchmarkItem], size: int) -> list[Sequence[BenchmarkItem]]:
    """Return consecutive parts of at most ``size`` items."""
    return [items[start : start + size] for start in range(0, len(items), size)]
