"""Curves of one score against another as inline SVG, one line for each series, that follows the page's width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from editfoundry.evaluation.charts import axis_range, axis_svg, nice_ticks

Interval = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One series."""

    title: str
    css: str
    labels: tuple[str, ...]
    """What each point is called."""
    x: tuple[Interval, ...]
    y: tuple[Interval, ...]
    """``{"value", "low", "high"}`` of each point; a point without a value is left out."""


def curves_svg(curves: Sequence[Curve], label: str) -> Markup:
    """Draw the curves with each point's two intervals as a faint cross; the first and last point are named.

    Args:
        curves: in the order of drawing.
        label: what the chart shows, for screen readers.
    """
    across = axis_range([x for curve in curves for x in curve.x])
    up = axis_range([y for curve in curves for y in curve.y])
    grid = "".join(_gridline(t, up) for t in nice_ticks(*up))
    drawn = "".join(_curve(curve, across, up) for curve in curves)
    return Markup(
        f'<div class="curves"><svg role="img" aria-label="{escape(label)}">{grid}{drawn}</svg>{axis_svg(across)}</div>'
    )


def _curve(curve: Curve, across: tuple[float, float], up: tuple[float, float]) -> str:
    points = [
        (name, x, y)
        for name, x, y in zip(curve.labels, curve.x, curve.y, strict=True)
        if x["value"] is not None and y["value"] is not None
    ]
    places = [(_percent(x["value"], across), _percent(y["value"], up, falling=True)) for _, x, y in points]
    parts = [_line(f"edge {curve.css}", *a, *b) for a, b in zip(places, places[1:], strict=False)]
    for place, (name, x, y) in enumerate(points):
        at = places[place]
        parts.append(_line(f"cross {curve.css}", _percent(x["low"], across), at[1], _percent(x["high"], across), at[1]))
        parts.append(
            _line(
                f"cross {curve.css}",
                at[0],
                _percent(y["low"], up, falling=True),
                at[0],
                _percent(y["high"], up, falling=True),
            )
        )
        title = escape(f"{curve.title}, {name}: {x['value']:.4f}, {y['value']:.4f}")
        parts.append(f'<circle class="dot {curve.css}" cx="{at[0]}" cy="{at[1]}" r="5"><title>{title}</title></circle>')
        if place in (0, len(points) - 1):
            parts.append(f'<text class="point" x="{at[0]}" y="{at[1]}" dx="8" dy="-8">{escape(name)}</text>')
    return "".join(parts)


def _gridline(tick: float, span: tuple[float, float]) -> str:
    y = _percent(tick, span, falling=True)
    text = f"{tick:.6g}".replace("-", "−")
    return _line("gridline", "0%", y, "100%", y) + f'<text x="-8" y="{y}" dy="4" text-anchor="end">{text}</text>'


def _line(css: str, x1: str, y1: str, x2: str, y2: str) -> str:
    return f'<line class="{css}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _percent(value: float, span: tuple[float, float], *, falling: bool = False) -> str:
    share = (value - span[0]) / (span[1] - span[0])
    return f"{100 * (1 - share if falling else share):.2f}%"
