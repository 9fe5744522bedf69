"""Curves and histograms as small pictures, which an asset's page shows whole."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

NUM_BINS = 20
_COLOUR, _SECOND_COLOUR = "#4453c4", "#c2571a"
_WIDTH, _DPI = 7.2, 100
"""Inches of a picture's width, and pixels of an inch."""


def curve_picture(curves: Mapping[str, Sequence[tuple[int, float]]], title: str) -> Image.Image:
    """Draw curves over the optimizer's steps.

    Args:
        curves: name -> (step, value) in order; values that are no number leave a gap.
        title: above the picture.

    Returns:
        RGB image.
    """
    figure, [axes] = _figure(1, 1, 2.8)
    for (name, points), colour in zip(curves.items(), (_COLOUR, _SECOND_COLOUR), strict=False):
        steps, values = zip(*points, strict=True) if points else ((), ())
        shown = [value if math.isfinite(value) else math.nan for value in values]
        axes.plot(steps, shown, label=name, color=colour, marker="o" if len(points) < 3 else None)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=9)
    if len(curves) > 1:
        axes.legend(fontsize=9)
    return _image(figure)


def histogram_picture(values: Mapping[str, Sequence[float]], num_columns: int = 3) -> Image.Image:
    """Draw a histogram for each name, beside and below each other.

    Args:
        values: name -> numbers, all of them finite.
        num_columns: histograms in a row.

    Returns:
        RGB image.
    """
    columns = max(1, min(num_columns, len(values)))
    figure, all_axes = _figure(-(-len(values) // columns) or 1, columns, 1.7)
    for axes, (name, numbers) in zip(all_axes, sorted(values.items()), strict=False):
        axes.hist(numbers, bins=NUM_BINS, color=_COLOUR)
        axes.set_title(f"{name} ({len(numbers):,})", fontsize=9)
    for axes in all_axes[len(values) :]:
        axes.set_visible(False)
    return _image(figure)


def _figure(rows: int, columns: int, height: float) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, rows * height), dpi=_DPI, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    return figure, list(grid.flat)


def _image(figure: Any) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")
