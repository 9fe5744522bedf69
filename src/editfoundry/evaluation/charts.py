"""The report's charts as inline SVG that follows the page's width and its colours, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

MAX_CURVE_POINTS = 400


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers inside [low, high], about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * m for m in (1, 2, 5, 10) if scale * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def axis_range(intervals: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return a padded range that holds every interval of a chart."""
    present = [i for i in intervals if i["value"] is not None]
    if not present:
        return 0.0, 1.0
    low, high = min(i["low"] for i in present), max(i["high"] for i in present)
    padding = (high - low) * 0.08 or max(abs(high) * 0.05, 0.05)
    return low - padding, high + padding


def dots_svg(series: Sequence[tuple[str, Mapping[str, Any]]], span: tuple[float, float], label: str) -> Markup:
    """Draw one row of a chart: for each series its dot and its interval as a whisker.

    Args:
        series: CSS class and interval of each, drawn in this order.
        span: the axis' ends.
        label: what the row shows, for screen readers.
    """
    low, high = span

    def x(value: float) -> str:
        return f"{100 * min(max((value - low) / (high - low), 0.0), 1.0):.2f}%"

    parts = [f'<line class="gridline" x1="{x(t)}" x2="{x(t)}" y1="0" y2="34"/>' for t in nice_ticks(low, high)]
    present = [(css, i) for css, i in series if i["value"] is not None]
    spread = [(0.0,), (-5.0, 5.0)][len(present) == 2] if len(present) < 3 else (0.0,) * len(present)
    if len(present) == 2:
        (_, first), (_, last) = present
        parts.append(f'<line class="link" x1="{x(first["value"])}" x2="{x(last["value"])}" y1="12" y2="22"/>')
    for (css, interval), offset in zip(present, spread, strict=False):
        y = 17 + offset
        parts.append(
            f'<line class="whisker {css}" x1="{x(interval["low"])}" x2="{x(interval["high"])}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot {css}" cx="{x(interval["value"])}" cy="{y}" r="5"/>'
        )
    return Markup(f'<svg class="dots" role="img" aria-label="{escape(label)}" height="34">{"".join(parts)}</svg>')


def axis_svg(span: tuple[float, float]) -> Markup:
    """Draw the tick labels below a chart's rows."""
    low, high = span
    ticks = nice_ticks(low, high)
    texts = [
        f'<text x="{100 * (t - low) / (high - low):.2f}%" y="12" text-anchor="{_anchor((t - low) / (high - low))}">'
        f"{_short(t)}</text>"
        for t in ticks
    ]
    return Markup(f'<svg class="axis" aria-hidden="true" height="16">{"".join(texts)}</svg>')


def curve_svg(curve: Sequence[tuple[int, float]]) -> Markup:
    """Draw a loss curve: each value faint, an exponential average of them strong.

    Args:
        curve: ``(optimizer step, loss)``, in order; losses that are not finite are left out.
    """
    points = [(step, loss) for step, loss in curve if math.isfinite(loss)]
    if len(points) < 2:
        return Markup("")
    smooth = _smoothed([loss for _, loss in points])
    shown = range(0, len(points), max(1, math.ceil(len(points) / MAX_CURVE_POINTS)))
    steps = [points[i][0] for i in shown]
    losses = [points[i][1] for i in shown]
    x0, x1 = steps[0], max(steps[-1], steps[0] + 1)
    # A few wild early values must not flatten the rest.
    top = max(sorted(losses)[int(0.98 * (len(losses) - 1))], smooth[shown[0]]) * 1.05
    bottom = max(0.0, min(losses) - 0.1 * (top - min(losses)))
    if not top > bottom:
        top = bottom + 1.0

    def line(values: Sequence[float], css: str) -> str:
        path = " ".join(
            f"{1000 * (s - x0) / (x1 - x0):.1f},{100 - 100 * (min(v, top) - bottom) / (top - bottom):.2f}"
            for s, v in zip(steps, values, strict=True)
        )
        return f'<polyline class="{css}" points="{path}"/>'

    grid = "".join(
        f'<line class="gridline" x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%"/>'
        f'<text x="-8" y="{y:.2f}%" dy="4" text-anchor="end">{_short(t)}</text>'
        for t in nice_ticks(bottom, top)
        for y in (100 - 100 * (t - bottom) / (top - bottom),)
    )
    curves = line(losses, "raw") + line([smooth[i] for i in shown], "smooth")
    return Markup(
        f'<div class="curve"><svg role="img" aria-label="training loss from {losses[0]:.3g} to {smooth[-1]:.3g}">{grid}'
        f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" width="100%" height="100%">{curves}</svg></svg>'
        f"{axis_svg((x0, x1))}</div>"
    )


def _smoothed(values: Sequence[float]) -> list[float]:
    weight = min(0.98, 1 - 1 / max(2.0, len(values) / 25))
    average, smoothed = 0.0, []
    for i, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        smoothed.append(average / (1 - weight**i))
    return smoothed


def _anchor(share: float) -> str:
    return "start" if share < 0.03 else "end" if share > 0.97 else "middle"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.10g}".replace("-", "−")
