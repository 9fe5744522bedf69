"""The models behind metrics, each loaded once; metrics whose model is missing are left out, and no other stands in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.errors import MissingModelError, one_line
from editfoundry.evaluation.metrics.metric import MeasuredBy, Metric
from editfoundry.pretrained.journal import JUDGE_SUFFIX, journal_path
from editfoundry.pretrained.judge_model import JUDGE_ROLE, remembering
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from editfoundry.pretrained.runtime import Runtime


@dataclass(frozen=True)
class MetricModels:
    """The models at hand."""

    by_role: Mapping[str, Any] = field(default_factory=dict)
    """Role -> model."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Role -> which weight is missing."""

    def of(self, metric: Metric) -> Any:
        """Return a metric's model."""
        return self.by_role[metric.role]

    def can_measure(self, metric: Metric) -> bool:
        """Whether the metric's model is at hand, or it needs none."""
        return not metric.role or metric.role in self.by_role

    @contextmanager
    def remembering(self, file: Path) -> Iterator[MetricModels]:
        """Yield the same models; a judge's endpoint keeps what it answers beside a file, until all is answered."""
        if JUDGE_ROLE not in self.by_role:
            yield self
            return
        with remembering(self.by_role[JUDGE_ROLE], file) as judge:
            yield replace(self, by_role={**self.by_role, JUDGE_ROLE: judge})
        journal_path(file, JUDGE_SUFFIX).unlink(missing_ok=True)

    def measured_by(self, metric: Metric) -> MeasuredBy:
        """Return what a metric is computed with here."""
        if metric.model is None:
            return MeasuredBy(preprocessing=metric.preprocessing)
        if not self.can_measure(metric):
            return MeasuredBy(missing=self.missing.get(metric.role, f"no model for the role {metric.role!r}"))
        model = self.of(metric)
        parts = [metric.model.describe(model), metric.preprocessing]
        return MeasuredBy(model=model.name, preprocessing="; ".join(part for part in parts if part))


def load_metric_models(profile: Profile, runtime: Runtime, metrics: Iterable[Metric]) -> MetricModels:
    """Load the models that the metrics need, as the profile names them."""
    models: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for needed in {m.role: m.model for m in metrics if m.model is not None}.values():
        try:
            models[needed.role] = needed.load(profile, runtime)
        except MissingModelError as error:
            missing[needed.role] = one_line(error)
    return MetricModels(models, missing)
