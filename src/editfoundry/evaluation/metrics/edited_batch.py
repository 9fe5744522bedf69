"""What metrics are given: a batch of edits, and the pictures and captions they are compared with.

What several metrics or several editors have in common, such as CLIP embeddings, is computed when the first of them asks
for it and kept as long as the batch, or the benchmark's captions, are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from PIL import Image

from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.evaluation.metrics.metric_models import MetricModels

T = TypeVar("T")


@dataclass(eq=False)
class Kept:
    """Keeps what was computed once, by name."""

    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Return what is kept under ``name``, computed if it is not there yet."""
        if name not in self._known:
            self._known[name] = compute()
        found: T = self._known[name]
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemPictures:
    """An item's pictures, opened once for all editors and metrics."""

    item: BenchmarkItem
    input_image: Image.Image
    """RGB."""
    truth: Image.Image | None
    """RGB."""


@dataclass(eq=False)
class Measurement(Kept):
    """One benchmark, and what it is measured with."""

    benchmark: Benchmark
    models: MetricModels
    seed: int
    """Of what metrics draw."""


@dataclass(eq=False)
class ItemBatch(Kept):
    """B items of a benchmark."""

    measurement: Measurement
    pictures: Sequence[ItemPictures]

    @property
    def inputs(self) -> list[Image.Image]:
        """The B pictures to edit."""
        return [pictures.input_image for pictures in self.pictures]

    @property
    def references(self) -> list[Image.Image | None]:
        """The B pictures that edits are compared with; None where the benchmark has none."""
        if self.measurement.benchmark.reference == "input":
            return [pictures.input_image for pictures in self.pictures]
        return [pictures.truth for pictures in self.pictures]


@dataclass(eq=False)
class EditedBatch(Kept):
    """One editor's edits of a batch of B items."""

    batch: ItemBatch
    images: Sequence[Image.Image | None]
    """B edits, RGB; None where there is none."""

    @property
    def made(self) -> list[int]:
        """The rows that have an edit."""
        return [row for row, image in enumerate(self.images) if image is not None]

    def item(self, row: int) -> BenchmarkItem:
        """Return a row's item."""
        return self.batch.pictures[row].item

    def edit(self, row: int) -> Image.Image:
        """Return a row's edit; the row must have one."""
        image = self.images[row]
        if image is None:
            raise ValueError(f"{self.item(row).id}: has no edit to measure")
        return image

    def reference(self, row: int) -> Image.Image:
        """Return the picture that a row's edit is compared with; the benchmark must have one."""
        image = self.batch.references[row]
        if image is None:
            raise ValueError(f"{self.item(row).id}: has no picture to compare with")
        return image


def open_pictures(item: BenchmarkItem) -> ItemPictures:
    """Open an item's pictures.

    Raises:
        BadInputError: a picture has gone since the benchmark was read.
    """
    return ItemPictures(item=item, input_image=item.open_input(), truth=item.open_truth())
