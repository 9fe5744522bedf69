"""What a metric is: its name, what it measures and needs, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from editfoundry.data.record import short_hash

if TYPE_CHECKING:
    from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
    from editfoundry.evaluation.metrics.edited_batch import EditedBatch
    from editfoundry.pretrained.runtime import Runtime
    from editfoundry.profiles import Profile


@dataclass(frozen=True)
class Undefined:
    """Why a metric has no value for an edit, although nothing that it needs is absent."""

    reason: str
    """One short sentence; the same reason in the same words, so that it can be counted by."""


Value = float | Undefined
Need = Literal["case", "compares", "output_caption", "reference"]
"""``case``: tinyworld's truth; ``compares``: EditBench's part of the picture; ``reference``: the picture that the
benchmark compares edits with."""
AGAINST = {"input": "against the input", "truth": "against the target"}
"""A benchmark's reference in words."""


@dataclass(frozen=True, kw_only=True)
class MetricModel:
    """A model behind one or several metrics."""

    role: str
    """The profile's role that names it."""
    load: Callable[[Profile, Runtime], Any]
    """Raises ``MissingModelError`` where it is not on this machine."""
    describe: Callable[[Any], str] = lambda model: ""
    """Says in one line what it does to pictures and texts before it looks at them."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column of a report."""

    name: str
    label: str
    measures: str
    """What it measures, in one sentence, with the paper it comes from."""
    unit: str
    """``cosine``, ``dB``, ``0 to 1``, ``0 or 1``..."""
    higher_is_better: bool
    compute: Callable[[EditedBatch, Sequence[int]], Sequence[Value]]
    """The batch function: edits, and the rows of those that have what is needed, to one value for each such row."""
    needs: tuple[Need, ...] = ()
    """What an item must have; where it lacks any of it, the metric has no value."""
    applies: Callable[[BenchmarkItem], bool] = lambda item: True
    """Whether an item asks for what the metric measures; where none does, the benchmark has not got the metric."""
    model: MetricModel | None = None
    preprocessing: str = ""
    """What is done to pictures before they are compared, beside what the model does."""
    drawn_from: Callable[[Benchmark], Sequence[str]] | None = None
    """The texts of a benchmark that an edit's own is found among; figures of other texts cannot be compared."""
    decimals: int = 4
    """Decimals that reports show."""
    is_costly: bool = False
    """Whether it takes so long that controls are measured by it on a few items alone."""
    has_bounds: bool = False
    """Whether reports say what doing nothing and the true outcome would score, and warn where an editor scores below
    doing nothing: it must be a measure that rewards a good edit."""

    @property
    def role(self) -> str:
        """The profile's role whose model it needs; empty for none."""
        return "" if self.model is None else self.model.role


@dataclass(frozen=True, kw_only=True)
class MeasuredBy:
    """What a metric was computed with in one run."""

    model: str = ""
    """Model @ revision; empty for none."""
    preprocessing: str = ""
    missing: str | None = None
    """Which weight is missing, in one line; None when nothing is."""


def describe(metric: Metric, measured: MeasuredBy, benchmark: Benchmark) -> dict[str, Any]:
    """Return a metric's entry of a benchmark's ``metrics.json``."""
    target = AGAINST[benchmark.reference]
    preprocessing = measured.preprocessing
    if metric.drawn_from is not None and preprocessing:
        texts = sorted(set(metric.drawn_from(benchmark)))
        preprocessing += f"; of {len(texts)} texts, {short_hash(*texts)[:8]}"
    return {
        "label": f"{metric.label}, {target}" if "reference" in metric.needs else metric.label,
        "measures": metric.measures,
        "model": measured.model,
        "preprocessing": preprocessing,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "decimals": metric.decimals,
        "has_bounds": metric.has_bounds,
        "missing": measured.missing,
    }
