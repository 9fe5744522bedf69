"""Anti-aliased drawing in an object's own coordinates.

The object stands on the ground at the origin: x runs right, y runs up, and one unit is the object's
size, so a typical object fills x in [-0.5, 0.5] and y in [0, 1]. Shapes are drawn hard-edged on a canvas
``SUPERSAMPLING`` times too large; averaging it down is what anti-aliases them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from editfoundry.tinyworld.colours import RGB, shade

SUPERSAMPLING = 4

Point = tuple[float, float]
_NUM_KEPT_CURVES = 4096
"""Curves, in an object's own coordinates, whose points are computed once: objects have the same ones wherever they
stand."""


class Pen:
    """Draws filled, thinly outlined shapes on an RGBA canvas through an affine map."""

    def __init__(self, canvas: Image.Image, origin: Point, unit: float) -> None:
        """``origin`` and ``unit`` (the size of one local unit) are in canvas pixels, y of the canvas running down."""
        self.canvas = canvas
        self._matrix = np.array([[unit, 0.0, origin[0]], [0.0, -unit, origin[1]]])

    def moved(
        self, dx: float = 0.0, dy: float = 0.0, scale: float = 1.0, angle: float = 0.0, stretch: float = 1.0
    ) -> Pen:
        """Return a pen whose origin is moved, then turned by ``angle`` degrees (anticlockwise), then scaled.

        ``stretch`` multiplies the vertical scale alone.
        """
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        local = np.array([[c * scale, -s * scale * stretch, dx], [s * scale, c * scale * stretch, dy], [0.0, 0.0, 1.0]])
        other = Pen(self.canvas, (0.0, 0.0), 1.0)
        other._matrix = self._matrix @ local
        return other

    @contextmanager
    def faded(self, opacity: float) -> Iterator[Pen]:
        """Draw what follows on a layer of its own, laid over the canvas with ``opacity`` in [0, 1]."""
        layer = Pen(Image.new("RGBA", self.canvas.size), (0.0, 0.0), 1.0)
        layer._matrix = self._matrix
        if opacity > 0.01:
            yield layer
            if opacity < 0.99:
                layer.canvas.putalpha(layer.canvas.getchannel("A").point(lambda a: round(a * opacity)))
            self.canvas.alpha_composite(layer.canvas)
        else:
            yield layer

    def polygon(self, points: Sequence[Point], fill: RGB, outline: bool = True) -> None:
        """Fill the polygon through ``points`` (local units)."""
        pixels = self._to_pixels(points)
        draw = ImageDraw.Draw(self.canvas)
        draw.polygon(pixels, fill=(*fill, 255))
        if outline:
            draw.line(
                [*pixels, pixels[0], pixels[1]],
                fill=(*shade(fill, 0.55), 255),
                width=self._outline_width(),
                joint="curve",
            )

    def ellipse(
        self, cx: float, cy: float, rx: float, ry: float, fill: RGB, angle: float = 0.0, outline: bool = True
    ) -> None:
        """Fill the ellipse with centre ``(cx, cy)``, half-axes ``rx`` and ``ry``, turned by ``angle`` degrees."""
        self.polygon(arc_points(cx, cy, rx, ry, 0.0, 360.0, angle)[:-1], fill, outline)

    def pie(
        self, cx: float, cy: float, rx: float, ry: float, start: float, end: float, fill: RGB, outline: bool = True
    ) -> None:
        """Fill the sector from ``start`` to ``end`` degrees (anticlockwise from the right)."""
        self.polygon([(cx, cy), *arc_points(cx, cy, rx, ry, start, end)], fill, outline)

    def chord(
        self, cx: float, cy: float, rx: float, ry: float, start: float, end: float, fill: RGB, outline: bool = True
    ) -> None:
        """Fill the segment between the arc from ``start`` to ``end`` degrees and its chord."""
        self.polygon(arc_points(cx, cy, rx, ry, start, end), fill, outline)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, fill: RGB, radius: float = 0.0, outline: bool = True
    ) -> None:
        """Fill the rectangle between two corners, its corners rounded by ``radius``."""
        x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
        if r <= 0:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, outline)
            return
        corners = [(x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270)]
        self.polygon([p for cx, cy, a in corners for p in arc_points(cx, cy, r, r, a, a + 90)], fill, outline)

    def blob(self, points: Sequence[Point], fill: RGB, outline: bool = True) -> None:
        """Fill the smooth closed curve through ``points`` (Catmull-Rom)."""
        self.polygon(_smooth(tuple(points), closed=True), fill, outline)

    def stroke(self, points: Sequence[Point], fill: RGB, width: float, smooth: bool = False) -> None:
        """Draw an open line through ``points``; ``width`` in local units, ends rounded."""
        pixels = self._to_pixels(_smooth(tuple(points), closed=False) if smooth else points)
        pixel_width = max(2, round(width * self._unit()))
        draw = ImageDraw.Draw(self.canvas)
        draw.line(pixels, fill=(*fill, 255), width=pixel_width, joint="curve")
        r = pixel_width / 2
        for x, y in (pixels[0], pixels[-1]):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(*fill, 255))

    def _to_pixels(self, points: Sequence[Point]) -> list[Point]:
        xy = np.asarray(points, dtype=float) @ self._matrix[:, :2].T + self._matrix[:, 2]
        return [tuple(p) for p in xy.tolist()]

    def _unit(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self._matrix[:, :2]))))

    def _outline_width(self) -> int:
        return max(2, self.canvas.width // 90)


@lru_cache(_NUM_KEPT_CURVES)
def arc_points(
    cx: float, cy: float, rx: float, ry: float, start: float, end: float, angle: float = 0.0
) -> tuple[Point, ...]:
    """Return points of an elliptic arc from ``start`` to ``end`` degrees, the ellipse turned by ``angle`` degrees."""
    t = np.radians(np.linspace(start, end, max(6, int(abs(end - start) / 10) + 1)))
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = rx * np.cos(t), ry * np.sin(t)
    return tuple(zip((cx + c * x - s * y).tolist(), (cy + s * x + c * y).tolist(), strict=True))


@lru_cache(_NUM_KEPT_CURVES)
def _smooth(points: tuple[Point, ...], closed: bool, steps: int = 6) -> tuple[Point, ...]:
    p = np.asarray(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return tuple(tuple(q) for q in np.concatenate([*pieces, p[-2:-1] if not closed else p[1:1]]).tolist())
