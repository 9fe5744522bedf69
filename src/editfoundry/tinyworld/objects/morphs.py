"""In-betweens that drawings share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from editfoundry.tinyworld.pen import Pen, Point


def lerp(first: float, second: float, share: float) -> float:
    """Return the number a ``share`` in [0, 1] of the way from ``first`` to ``second``."""
    return first + (second - first) * share


def lerp_points(first: Sequence[Point], second: Sequence[Point], share: float) -> list[Point]:
    """Move each point of ``first`` a ``share`` in [0, 1] of the way to its counterpart in ``second``."""
    return [(lerp(a[0], b[0], share), lerp(a[1], b[1], share)) for a, b in zip(first, second, strict=True)]


def draw_faded(pen: Pen, opacity: float, draw: Callable[[Pen], None]) -> None:
    """Draw with ``opacity`` in [0, 1]; without a layer where that is 0 or 1."""
    if opacity > 0.99:
        draw(pen)
    elif opacity > 0.01:
        with pen.faded(opacity) as layer:
            draw(layer)
