"""What the metrics are given: edits, and the pictures and captions they are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from editfoundry.evaluation.benchmarks.item import BenchmarkItem, Reference


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemPictures:
    """An item's pictures, opened once for all editors and metrics."""

    item: BenchmarkItem
    input_image: Image.Image
    """RGB."""
    truth: Image.Image | None
    """RGB."""

    def reference(self, reference: Reference) -> Image.Image | None:
        """Return the picture that edits are compared with, or None where the benchmark has none."""
        return self.input_image if reference == "input" else self.truth


@dataclass(frozen=True, kw_only=True, eq=False)
class MadeEdit:
    """An edit that there is."""

    pictures: ItemPictures
    edited: Image.Image
    """RGB."""


def open_pictures(item: BenchmarkItem) -> ItemPictures:
    """Open an item's pictures.

    Raises:
        BadInputError: a picture has gone since the benchmark was read.
    """
    return ItemPictures(item=item, input_image=item.open_input(), truth=item.open_truth())
