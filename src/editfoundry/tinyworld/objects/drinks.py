"""Drawings of what one drinks from."""

from __future__ import annotations

import math

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.objects.morphs import draw_faded, lerp, lerp_points
from editfoundry.tinyworld.pen import Pen, Point, arc_points

_COFFEE: RGB = (70, 40, 22)
_JUICE: RGB = (255, 146, 20)


def _draw_cup(pen: Pen, look: Look, colour: RGB) -> None:
    spill, above = look["spill"], look["above"]
    if spill > 0.01:
        draw_faded(pen, 1 - above, lambda p: p.ellipse(-0.3 * spill, 0.02, 0.48 * spill, 0.14 * spill, _COFFEE))
    side = pen.moved(0.48 * spill, 0.42 * spill, lerp(1, 0.95, spill), angle=98 * spill)
    draw_faded(side, 1 - above, lambda p: _draw_cup_side(p, mix(_COFFEE, shade(colour, 0.4), spill), colour))
    draw_faded(pen, above, lambda p: _draw_cup_from_above(p, colour))


def _draw_cup_side(pen: Pen, inside: RGB, colour: RGB) -> None:
    handle = arc_points(0.28, 0.42, 0.26, 0.2, -90, 90)
    pen.stroke(handle, shade(colour, 0.55), 0.16)
    pen.stroke(handle, shade(colour, 0.9), 0.09)
    pen.polygon(
        [
            (-0.38, 0.74),
            *arc_points(-0.14, 0.12, 0.18, 0.12, 190, 270),
            *arc_points(0.14, 0.12, 0.18, 0.12, 270, 350),
            (0.38, 0.74),
        ],
        colour,
    )
    pen.ellipse(0, 0.74, 0.38, 0.12, shade(colour, 1.25))
    pen.ellipse(0, 0.73, 0.29, 0.075, inside, outline=False)


def _draw_cup_from_above(pen: Pen, colour: RGB) -> None:
    pen.rectangle(0.3, 0.36, 0.66, 0.54, shade(colour, 0.9), radius=0.07)
    pen.ellipse(-0.05, 0.45, 0.46, 0.46, colour)
    pen.ellipse(-0.05, 0.45, 0.34, 0.34, _COFFEE)
    pen.pie(-0.05, 0.45, 0.27, 0.27, 110, 170, shade(_COFFEE, 1.25), outline=False)


_GLASS_TOP: tuple[Point, ...] = (
    (0.36, 0.92),
    (0.25, 0.92),
    (0.12, 0.92),
    (0, 0.92),
    (-0.13, 0.92),
    (-0.25, 0.92),
    (-0.36, 0.92),
)
_GLASS_TOP_BROKEN: tuple[Point, ...] = (
    (0.31, 0.52),
    (0.2, 0.24),
    (0.1, 0.34),
    (0, 0.16),
    (-0.12, 0.44),
    (-0.2, 0.3),
    (-0.33, 0.66),
)
_SHARDS: tuple[tuple[Point, ...], ...] = (
    ((-0.72, -0.04), (-0.4, -0.06), (-0.58, 0.24)),
    ((0.36, -0.04), (0.74, 0.0), (0.48, 0.3)),
    ((-0.22, -0.1), (0.16, -0.12), (0.0, 0.06)),
)


def _draw_glass(pen: Pen, look: Look, colour: RGB) -> None:
    filled, broken = look["filled"], look["broken"]
    pale = mix(colour, (236, 250, 255), 0.78)
    pen.polygon([(-0.27, 0), (0.27, 0), *lerp_points(_GLASS_TOP, _GLASS_TOP_BROKEN, broken)], pale)
    draw_faded(pen, 1 - 2 * broken, lambda p: p.ellipse(0, 0.92, 0.36, 0.08, shade(pale, 1.6)))
    if filled > 0.01:
        _draw_juice(pen, filled)
    pen.rectangle(-0.27, 0, 0.27, 0.09, shade(pale, 0.85))
    pen.stroke([(-0.2, 0.2), lerp_points([(-0.24, 0.74)], [(-0.25, 0.42)], broken)[0]], (255, 255, 255), 0.07)
    for shard in _SHARDS:
        if broken > 0.01:
            pen.polygon([(x * broken, lerp(0.4, y, broken)) for x, y in shard], shade(pale, 1.3))


def _draw_juice(pen: Pen, filled: float) -> None:
    level = lerp(0.1, 0.82, filled)
    half = lerp(0.24, 0.3, filled)
    pen.polygon([(-0.24, 0.09), (0.24, 0.09), (half, level), (-half, level)], _JUICE, outline=False)
    pen.ellipse(0, level, half, 0.07 * math.sqrt(filled), shade(_JUICE, 1.35), outline=False)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="cup",
        draw=_draw_cup,
        colours=("red", "blue", "white"),
        states={
            "upright": State(phrase="a {colour} cup", look={"spill": 0.0, "above": 0.0}),
            "spilled": State(phrase="a spilled {colour} cup", look={"spill": 1.0, "above": 0.0}),
            "from above": State(phrase="a {colour} cup seen from above", look={"spill": 0.0, "above": 1.0}),
        },
    ),
    Kind(
        name="glass",
        draw=_draw_glass,
        colours=("blue",),
        states={
            "full": State(phrase="a full glass", look={"filled": 1.0, "broken": 0.0}),
            "empty": State(phrase="an empty glass", look={"filled": 0.0, "broken": 0.0}),
            "broken": State(phrase="a broken glass", look={"filled": 0.0, "broken": 1.0}),
        },
    ),
)
