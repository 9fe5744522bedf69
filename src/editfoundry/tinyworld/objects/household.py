"""Drawings of things found at home: candle, lamps, umbrella, box, book and chair."""

from __future__ import annotations

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.pen import Pen, Point, arc_points

_BLACK: RGB = (40, 36, 40)
_WOOD: RGB = (120, 76, 40)
_GLOW: RGB = (255, 240, 140)
_FLAME: RGB = (250, 150, 30)
_PAPER: RGB = (250, 248, 238)
_INK: RGB = (110, 110, 120)
_GOLD: RGB = (232, 178, 40)
_GENIE: RGB = (58, 130, 226)
_TEDDY: RGB = (226, 164, 88)
_SMOKE: RGB = (120, 122, 130)


def _draw_candle(pen: Pen, look: Look, colour: RGB) -> None:
    lit, burnt = look["lit"], look["burnt"]
    top = 0.62 - 0.42 * burnt
    if lit > 0.01:
        pen.ellipse(0.0, top + 0.23, 0.42 * lit, 0.38 * lit, _GLOW, outline=False)
    pen.ellipse(0.0, 0.06, 0.3 + 0.2 * burnt, 0.06 + 0.04 * burnt, mix(_WOOD, colour, burnt))
    pen.rectangle(-0.2, 0.04, 0.2, top, colour, radius=0.05)
    pen.ellipse(0.0, top, 0.2, 0.06, shade(colour, 0.82))
    pen.stroke([(0.0, top), (0.0, top + 0.1)], _BLACK, 0.06)
    if lit > 0.01:
        _draw_flame(pen.moved(dy=top + 0.05, scale=lit))
    if burnt > 0.01:
        with pen.faded(burnt) as layer:
            wisp = [(0.0, top + 0.15), (0.1, top + 0.3), (-0.06, top + 0.45), (0.1, top + 0.62), (0.0, top + 0.75)]
            layer.stroke(wisp, _SMOKE, 0.09, smooth=True)


def _draw_flame(pen: Pen) -> None:
    pen.blob([(0.0, 0.0), (0.14, 0.12), (0.08, 0.28), (0.0, 0.44), (-0.08, 0.28), (-0.14, 0.12)], _FLAME)
    pen.ellipse(0.0, 0.13, 0.07, 0.1, (255, 250, 190), outline=False)


def _draw_lamp(pen: Pen, look: Look, colour: RGB) -> None:
    on = look["on"]
    if on > 0.01:
        with pen.faded(on) as layer:
            layer.ellipse(0.0, 0.76, 0.5, 0.36, _GLOW, outline=False)
            layer.polygon([(-0.3, 0.6), (0.3, 0.6), (0.56, 0.0), (-0.56, 0.0)], _GLOW, outline=False)
    pen.rectangle(-0.05, 0.05, 0.05, 0.6, (96, 84, 76))
    pen.ellipse(0.0, 0.07, 0.22, 0.08, (96, 84, 76))
    pen.polygon(
        [(-0.36, 0.52), (0.36, 0.52), (0.2, 0.98), (-0.2, 0.98)], mix(shade(colour, 0.6), shade(colour, 1.12), on)
    )
    if on > 0.01:
        with pen.faded(on) as layer:
            layer.polygon([(-0.15, 0.54), (0.15, 0.54), (0.08, 0.84), (-0.08, 0.84)], (255, 252, 205), outline=False)


def _draw_oil_lamp(pen: Pen, look: Look, colour: RGB) -> None:
    genie = look["genie"]
    gold = mix(colour, _GOLD, 0.6)
    if genie > 0.02:
        _draw_genie(pen.moved(-0.42, 0.42, scale=genie))
    pen.ellipse(0.36, 0.34, 0.15, 0.15, gold)
    pen.ellipse(0.36, 0.34, 0.07, 0.07, _WOOD)
    pen.polygon([(-0.2, 0.0), (0.2, 0.0), (0.08, 0.16), (-0.08, 0.16)], shade(gold, 0.8))
    body = [(-0.54, 0.48), (-0.42, 0.46), (-0.24, 0.42), (0.0, 0.46), (0.24, 0.42), (0.34, 0.28)]
    pen.blob([*body, (0.2, 0.14), (-0.05, 0.1), (-0.25, 0.18), (-0.46, 0.36)], gold)
    pen.chord(0.02, 0.44, 0.18, 0.14, 0.0, 180.0, shade(gold, 0.85))
    pen.ellipse(0.02, 0.6, 0.06, 0.06, gold)
    pen.ellipse(0.02, 0.32, 0.14, 0.05, shade(gold, 1.6), angle=-8.0, outline=False)


def _draw_genie(pen: Pen) -> None:
    """Draw the genie, its smoke tail starting at the pen's origin."""
    tail = [(0.0, 0.0), (-0.12, 0.16), (0.16, 0.34), (0.74, 0.42), (0.64, 0.22), (0.24, 0.18), (0.06, 0.08)]
    pen.blob(tail, shade(_GENIE, 1.35))
    pen.blob([(0.2, 0.3), (0.72, 0.3), (0.86, 0.66), (0.46, 0.76), (0.06, 0.66)], _GENIE)
    pen.stroke([(0.1, 0.6), (0.2, 0.42), (0.6, 0.5)], shade(_GENIE, 0.7), 0.1)
    pen.stroke([(0.82, 0.6), (0.72, 0.42), (0.32, 0.5)], shade(_GENIE, 0.7), 0.1)
    pen.ellipse(0.46, 0.83, 0.16, 0.17, shade(_GENIE, 1.15))
    pen.ellipse(0.46, 0.96, 0.2, 0.09, (216, 60, 130))
    for x in (0.4, 0.53):
        pen.ellipse(x, 0.84, 0.035, 0.04, _BLACK, outline=False)


def _draw_umbrella(pen: Pen, look: Look, colour: RGB) -> None:
    opened = look["open"]
    pen = pen.moved(dx=0.1 * (1.0 - opened), angle=10.0 * (1.0 - opened))
    rim, half, top = 0.26 + 0.28 * opened, 0.2 + 0.33 * opened, 0.92
    crook = [(0.0, rim + 0.1), (0.0, 0.1), (0.05, 0.02), (0.14, 0.02), (0.18, 0.12)]
    pen.stroke(crook, _WOOD, 0.08)
    pen.stroke([(0.0, top - 0.05), (0.0, top + 0.07)], _WOOD, 0.07)
    for share, tint in ((1.0, colour), (0.4, shade(colour, 0.78))):
        pen.polygon(_umbrella_panel(half * share, rim, top, opened), tint)


def _umbrella_panel(half: float, rim: float, top: float, opened: float) -> list[Point]:
    """Return a panel that is a narrow cone when closed and a dome when open, its hem arched upwards."""
    dome = arc_points(0.0, rim, half, top - rim, 0.0, 180.0)
    across = [1.0 - 2.0 * i / (len(dome) - 1) for i in range(len(dome))]
    cone = [(half * share, rim + (top - rim) * (1.0 - abs(share))) for share in across]
    sides = [(x + (u - x) * opened, y + (v - y) * opened) for (x, y), (u, v) in zip(cone, dome, strict=True)]
    return [*sides, (-0.5 * half, rim + 0.05), (0.0, rim), (0.5 * half, rim + 0.05)]


def _draw_box(pen: Pen, look: Look, colour: RGB) -> None:
    opened = look["open"]
    pen.polygon([(-0.44, 0.5), (0.44, 0.5), (0.34, 0.7), (-0.34, 0.7)], _BLACK)
    lid_edge, half = 0.5 + 0.58 * opened, 0.44 - 0.04 * opened
    pen.polygon([(-0.34, 0.7), (0.34, 0.7), (half, lid_edge), (-half, lid_edge)], shade(colour, 1.25 - 0.5 * opened))
    if opened > 0.01:
        _draw_teddy_head(pen.moved(dy=0.28 + 0.38 * opened))
    pen.rectangle(-0.44, 0.0, 0.44, 0.52, colour)
    pen.rectangle(-0.08, 0.3, 0.08, 0.52, mix(colour, (250, 226, 160), 0.75))


def _draw_teddy_head(pen: Pen) -> None:
    for x in (-0.17, 0.17):
        pen.ellipse(x, 0.15, 0.09, 0.09, _TEDDY)
    pen.ellipse(0.0, 0.0, 0.23, 0.21, _TEDDY)
    pen.ellipse(0.0, -0.05, 0.1, 0.08, shade(_TEDDY, 1.6), outline=False)
    for x, y in ((-0.1, 0.06), (0.1, 0.06), (0.0, -0.02)):
        pen.ellipse(x, y, 0.04, 0.04, _BLACK, outline=False)


def _draw_book(pen: Pen, look: Look, colour: RGB) -> None:
    opened = look["open"]
    spine, width, tilt = -0.32 + 0.32 * opened, 0.64 - 0.1 * opened, 0.1 * opened
    height = 0.88 - 0.12 * opened
    pen.polygon(_leaf(spine, width, height, tilt), colour)
    pen.polygon(_leaf(spine, width, height, tilt, margin=0.08), _PAPER)
    _draw_lines(pen, spine, width, height, tilt)
    free = width * (1.0 - 2.0 * opened)
    swing = tilt + 0.4 * opened * (1.0 - opened)
    pen.polygon(_leaf(spine, free, height, swing), colour)
    if opened > 0.5:
        pen.polygon(_leaf(spine, free, height, swing, margin=0.08), _PAPER)
        _draw_lines(pen, spine, free, height, swing)
    else:
        pen.rectangle(spine + 0.28 * free, 0.52, spine + 0.86 * free, 0.72, (250, 226, 130))
    pen.rectangle(spine - 0.05, tilt * 0.9, spine + 0.05 - 0.06 * opened, height + tilt * 0.2, shade(colour, 0.65))


def _leaf(spine: float, width: float, height: float, tilt: float, margin: float = 0.0) -> list[Point]:
    """Return a page or cover hanging on the spine; ``tilt`` is how much its free edge leans towards the viewer."""
    free = spine + width * (1.0 - margin / 0.54)
    return [
        (spine, tilt + margin),
        (free, margin),
        (free, height + tilt - margin),
        (spine, height - margin),
    ]


def _draw_lines(pen: Pen, spine: float, width: float, height: float, tilt: float) -> None:
    for share in (0.32, 0.52, 0.72):
        y = height * share + tilt * 0.5
        pen.stroke([(spine + 0.2 * width, y), (spine + 0.72 * width, y)], _INK, 0.06)


def _draw_chair(pen: Pen, look: Look, colour: RGB) -> None:
    toppled, seat = look["toppled"], 0.36 + 0.74 * look["long"]
    pen = pen.moved(dx=0.48 * toppled, dy=0.36 * toppled, angle=90.0 * toppled)
    for x in (-0.16, 0.38):
        pen.rectangle(x - 0.1, 0.1, x, seat + 0.1, shade(colour, 0.62))
    pen.polygon([(-0.38, seat), (-0.16, seat + 0.16), (-0.2, seat + 0.63), (-0.44, seat + 0.5)], shade(colour, 0.85))
    for x in (-0.36, 0.16):
        pen.rectangle(x, 0.0, x + 0.1, seat + 0.05, colour)
    pen.polygon([(-0.36, seat), (0.26, seat), (0.42, seat + 0.16), (-0.16, seat + 0.16)], shade(colour, 1.2))
    pen.rectangle(-0.36, seat - 0.05, 0.26, seat + 0.03, colour)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="candle",
        draw=_draw_candle,
        colours=("white", "red", "green"),
        states={
            "unlit": State(phrase="an unlit {colour} candle", look={"lit": 0.0, "burnt": 0.0}),
            "lit": State(phrase="a lit {colour} candle", look={"lit": 1.0, "burnt": 0.0}),
            "burnt down": State(phrase="a burnt-down {colour} candle", look={"lit": 0.0, "burnt": 1.0}),
        },
    ),
    Kind(
        name="lamp",
        draw=_draw_lamp,
        colours=("red", "blue", "green"),
        states={
            "off": State(phrase="a {colour} lamp switched off", look={"on": 0.0}),
            "on": State(phrase="a {colour} lamp switched on", look={"on": 1.0}),
        },
    ),
    Kind(
        name="oil lamp",
        draw=_draw_oil_lamp,
        colours=("yellow",),
        states={
            "still": State(phrase="an oil lamp", look={"genie": 0.0}),
            "genie": State(phrase="a genie rising from an oil lamp", look={"genie": 1.0}),
        },
    ),
    Kind(
        name="umbrella",
        draw=_draw_umbrella,
        colours=("red", "blue", "yellow"),
        states={
            "closed": State(phrase="a closed {colour} umbrella", look={"open": 0.0}),
            "open": State(phrase="an open {colour} umbrella", look={"open": 1.0}),
        },
    ),
    Kind(
        name="box",
        draw=_draw_box,
        colours=("brown", "red", "blue"),
        states={
            "closed": State(phrase="a closed {colour} box", look={"open": 0.0}),
            "open": State(phrase="an open {colour} box", look={"open": 1.0}),
        },
    ),
    Kind(
        name="book",
        draw=_draw_book,
        colours=("red", "blue", "green"),
        states={
            "closed": State(phrase="a closed {colour} book", look={"open": 0.0}),
            "open": State(phrase="an open {colour} book", look={"open": 1.0}),
        },
    ),
    Kind(
        name="chair",
        draw=_draw_chair,
        colours=("brown", "white", "red"),
        states={
            "upright": State(phrase="a {colour} chair", look={"toppled": 0.0, "long": 0.0}),
            "toppled": State(phrase="a toppled {colour} chair", look={"toppled": 1.0, "long": 0.0}),
            "long-legged": State(phrase="a {colour} chair with very long legs", look={"toppled": 0.0, "long": 1.0}),
        },
    ),
)
