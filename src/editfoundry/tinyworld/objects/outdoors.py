"""Drawings of things found outdoors (and one clock): balloon, car, house, boat and clock."""

from __future__ import annotations

from collections.abc import Sequence

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.pen import Pen, Point, arc_points

_BLACK: RGB = (40, 40, 46)
_GREY: RGB = (172, 172, 174)
_WHITE: RGB = (252, 252, 250)
_GLASS: RGB = (176, 220, 240)
_CYAN: RGB = (70, 236, 246)
_LIGHT: RGB = (255, 236, 130)
_ROOF: RGB = (92, 62, 66)
_DOOR: RGB = (110, 70, 40)
_GINGERBREAD: RGB = (178, 104, 44)
_IVY: RGB = (40, 120, 46)
_WATER: RGB = (60, 140, 206)

# Where each rag of a popped balloon comes to lie, and how it is turned.
_RAGS: tuple[tuple[float, float, float], ...] = ((-0.36, 0.08, 10.0), (0.02, 0.05, 100.0), (0.36, 0.1, 200.0))

# A round clock's rim, draped over the edge of a block; anticlockwise from 3 o'clock in steps of 30 degrees.
_DROOPING_RIM: tuple[Point, ...] = (
    (0.54, 0.45), (0.52, 0.7), (0.34, 0.88), (0.04, 0.93), (-0.26, 0.92), (-0.5, 0.84),
    (-0.54, 0.7), (-0.34, 0.6), (-0.02, 0.54), (0.06, 0.32), (0.14, 0.08), (0.4, 0.06),
)  # fmt: skip


def _draw_balloon(pen: Pen, look: Look, colour: RGB) -> None:
    flying, popped = look["flying"], look["popped"]
    centre = 0.7 + 0.65 * flying - 0.5 * popped
    size = (1.0 - 0.45 * flying) * (1.0 - popped)
    if size > 0.02:
        _draw_whole_balloon(pen.moved(dy=centre, scale=size), colour)
    if popped > 0.02:
        string = [(-0.1, 0.02), (0.06, -0.04), (0.2, 0.02), (0.34, -0.03)]
        pen.moved(scale=popped).stroke(string, _BLACK, 0.05, smooth=True)
        for x, y, angle in _RAGS:
            rag = pen.moved(x * popped, centre + (y - centre) * popped, scale=popped, angle=angle)
            rag.polygon([(-0.2, -0.04), (-0.06, -0.1), (0.1, -0.06), (0.2, 0.06), (0.04, 0.04), (-0.04, 0.14)], colour)


def _draw_whole_balloon(pen: Pen, colour: RGB) -> None:
    """Draw the balloon centred on the pen's origin, its string hanging down."""
    pen.stroke([(0.0, -0.36), (0.05, -0.48), (-0.04, -0.58), (0.0, -0.7)], _BLACK, 0.05, smooth=True)
    pen.polygon([(-0.08, -0.42), (0.08, -0.42), (0.0, -0.3)], shade(colour, 0.8))
    right = [(0.0, -0.36), (0.22, -0.18), (0.32, 0.08), (0.22, 0.29), (0.0, 0.37)]
    pen.blob([*right, *((-x, y) for x, y in right[3:0:-1])], colour)
    pen.ellipse(-0.13, 0.17, 0.07, 0.1, shade(colour, 1.65), angle=-25.0, outline=False)


def _draw_car(pen: Pen, look: Look, colour: RGB) -> None:
    front, hover = look["front"], look["hover"]
    lifted = pen.moved(dy=0.3 * hover, scale=1.0 - 0.16 * hover)
    side = 1.0 - front - hover
    if side > 0.01:
        with lifted.faded(side) as layer:
            _draw_car_side(layer, colour)
    if front > 0.01:
        with lifted.faded(front) as layer:
            _draw_car_front(layer, colour)
    if hover > 0.01:
        with lifted.faded(hover) as layer:
            _draw_hover_car(layer, colour)


def _draw_car_side(pen: Pen, colour: RGB) -> None:
    pen.polygon([(-0.36, 0.38), (-0.22, 0.7), (0.16, 0.7), (0.34, 0.38)], colour)
    pen.polygon([(-0.24, 0.4), (-0.16, 0.62), (-0.04, 0.62), (-0.04, 0.4)], _GLASS)
    pen.polygon([(0.04, 0.4), (0.04, 0.62), (0.12, 0.62), (0.24, 0.4)], _GLASS)
    pen.rectangle(-0.58, 0.12, 0.58, 0.42, colour, radius=0.1)
    pen.ellipse(0.51, 0.31, 0.06, 0.06, _LIGHT)
    for x in (-0.32, 0.32):
        pen.ellipse(x, 0.13, 0.15, 0.15, _BLACK)
        pen.ellipse(x, 0.13, 0.06, 0.06, (200, 200, 204), outline=False)


def _draw_car_front(pen: Pen, colour: RGB) -> None:
    for x in (-0.36, 0.2):
        pen.rectangle(x, 0.0, x + 0.16, 0.2, _BLACK)
    pen.polygon([(-0.34, 0.42), (-0.24, 0.78), (0.24, 0.78), (0.34, 0.42)], colour)
    pen.polygon([(-0.25, 0.46), (-0.18, 0.7), (0.18, 0.7), (0.25, 0.46)], _GLASS)
    pen.rectangle(-0.42, 0.1, 0.42, 0.46, colour, radius=0.08)
    pen.rectangle(-0.16, 0.16, 0.16, 0.3, _BLACK)
    for x in (-0.29, 0.29):
        pen.ellipse(x, 0.32, 0.1, 0.1, _LIGHT)


def _draw_hover_car(pen: Pen, colour: RGB) -> None:
    for x in (-0.34, 0.34):
        pen.polygon([(x - 0.12, 0.12), (x + 0.12, 0.12), (x + 0.05, -0.26), (x - 0.05, -0.26)], _CYAN, outline=False)
    pen.ellipse(0.0, 0.06, 0.5, 0.12, _CYAN, outline=False)
    pen.pie(-0.02, 0.28, 0.32, 0.36, 0.0, 180.0, shade(_CYAN, 1.5))
    pen.polygon([(-0.7, 0.56), (-0.66, 0.2), (-0.4, 0.28)], shade(colour, 0.75))
    pen.blob([(-0.66, 0.22), (-0.4, 0.08), (0.3, 0.06), (0.74, 0.18), (0.4, 0.32), (0.0, 0.36), (-0.5, 0.34)], colour)
    pen.rectangle(-0.4, 0.17, 0.4, 0.24, _WHITE, outline=False)


def _draw_house(pen: Pen, look: Look, colour: RGB) -> None:
    ruined, gingerbread = look["ruined"], look["gingerbread"]
    if ruined < 0.99:
        with pen.faded(1.0 - ruined) as layer:
            _draw_whole_house(layer, colour, gingerbread)
    if ruined > 0.01:
        with pen.faded(ruined) as layer:
            _draw_ruin(layer)


def _draw_whole_house(pen: Pen, colour: RGB, gingerbread: float) -> None:
    pen.rectangle(0.2, 0.6, 0.36, 1.0, mix(_ROOF, _GINGERBREAD, gingerbread))
    pen.rectangle(-0.44, 0.0, 0.44, 0.56, mix(colour, _GINGERBREAD, gingerbread))
    pen.polygon([(-0.58, 0.54), (0.58, 0.54), (0.0, 1.02)], mix(_ROOF, shade(_GINGERBREAD, 0.7), gingerbread))
    pen.rectangle(-0.1, 0.0, 0.1, 0.34, mix(_DOOR, (244, 130, 180), gingerbread))
    for x in (-0.37, 0.19):
        pen.rectangle(x, 0.22, x + 0.18, 0.42, mix(_GLASS, _LIGHT, gingerbread))
    if gingerbread > 0.01:
        with pen.faded(gingerbread) as layer:
            _draw_icing(layer)


def _draw_icing(pen: Pen) -> None:
    pen.stroke([(-0.56, 0.55), (0.0, 1.0), (0.56, 0.55)], _WHITE, 0.11)
    scallops = [(-0.54, 0.53), (-0.36, 0.48), (-0.18, 0.54), (0.0, 0.48), (0.18, 0.54), (0.36, 0.48), (0.54, 0.53)]
    pen.stroke(scallops, _WHITE, 0.09, smooth=True)
    pen.stroke([(-0.42, 0.04), (-0.16, 0.04)], _WHITE, 0.08)
    pen.stroke([(0.16, 0.04), (0.42, 0.04)], _WHITE, 0.08)
    for x, y, candy in ((-0.17, 0.66, (226, 40, 50)), (0.17, 0.66, (60, 180, 70)), (0.0, 0.8, (70, 120, 240))):
        pen.ellipse(x, y, 0.075, 0.075, candy)


def _draw_ruin(pen: Pen) -> None:
    right_gable = [(0.04, 0.5), (0.1, 0.34), (0.2, 0.38), (0.26, 0.56), (0.36, 0.7), (0.44, 0.6), (0.46, 0.0)]
    pen.polygon([(-0.46, 0.0), (-0.46, 0.56), *right_gable], _GREY)
    torn_edge = [(-0.1, 0.94), (-0.14, 0.8), (0.0, 0.76), (-0.08, 0.64), (0.06, 0.54)]
    pen.polygon([(-0.56, 0.54), *torn_edge], shade(_ROOF, 0.8))
    pen.ellipse(-0.26, 0.66, 0.09, 0.07, _GREY)
    pen.rectangle(-0.38, 0.22, -0.2, 0.42, _BLACK)
    pen.polygon([(-0.1, 0.0), (-0.1, 0.34), (0.02, 0.28), (0.1, 0.34), (0.1, 0.0)], _BLACK)
    pen.blob([(0.52, 0.0), (0.52, 0.36), (0.44, 0.66), (0.34, 0.46), (0.38, 0.2), (0.22, 0.1), (0.22, 0.0)], _IVY)
    pen.blob([(-0.52, 0.0), (-0.5, 0.22), (-0.36, 0.14), (-0.26, 0.0)], _IVY)
    pen.ellipse(0.02, 0.03, 0.14, 0.08, shade(_GREY, 0.9))


def _draw_boat(pen: Pen, look: Look, colour: RGB) -> None:
    far = look["far"]
    pen = pen.moved(dy=0.45 * far, scale=1.0 - 0.6 * far)
    pen.rectangle(-0.05, 0.25, 0.02, 1.0, _DOOR)
    pen.polygon([(0.02, 0.36), (0.46, 0.36), (0.02, 0.96)], _WHITE)
    pen.polygon([(-0.05, 0.36), (-0.36, 0.36), (-0.05, 0.82)], shade(_WHITE, 0.88))
    pen.polygon([(-0.5, 0.32), (0.56, 0.32), (0.36, 0.04), (-0.36, 0.04)], colour)
    surface = [(0.64, 0.14), (0.4, 0.1), (0.15, 0.14), (-0.1, 0.1), (-0.35, 0.14), (-0.64, 0.1)]
    pen.polygon([(-0.64, -0.06), (0.64, -0.06), *surface], _WATER, outline=False)


def _draw_clock(pen: Pen, look: Look, colour: RGB) -> None:
    melting = look["melting"]
    case = shade(colour, 0.9)
    if melting < 0.99:
        with pen.faded(1.0 - melting) as layer:
            _draw_bells_and_feet(layer, case)
    if melting > 0.01:
        pen.rectangle(-0.56, 0.0, 0.1, 0.74 * melting, (150, 108, 68))
    circle = arc_points(0.0, 0.45, 0.42, 0.42, 0.0, 330.0)[::3]
    rim = _points_between(circle, _DROOPING_RIM, melting)
    centre = (0.1 * melting, 0.45 + 0.22 * melting)
    face = _points_between(rim, [centre] * len(rim), 0.24)
    pen.blob(rim, case)
    pen.blob(face, _WHITE)
    for mark in _points_between(face, [centre] * len(rim), 0.2)[::3]:
        pen.ellipse(*mark, 0.035, 0.035, _BLACK, outline=False)
    minute = _points_between(face, [centre] * len(rim), 0.35)[3]
    hour = _points_between(face, [centre] * len(rim), 0.5)[11]
    pen.stroke([minute, centre, hour], _BLACK, 0.075)


def _draw_bells_and_feet(pen: Pen, case: RGB) -> None:
    for side in (-1.0, 1.0):
        pen.stroke([(side * 0.2, 0.2), (side * 0.34, 0.02)], _BLACK, 0.1)
        pen.ellipse(side * 0.28, 0.87, 0.17, 0.12, shade(case, 0.8), angle=-35.0 * side)
    pen.rectangle(-0.05, 0.8, 0.05, 1.0, _BLACK)


def _points_between(first: Sequence[Point], second: Sequence[Point], share: float) -> list[Point]:
    return [(x + (u - x) * share, y + (v - y) * share) for (x, y), (u, v) in zip(first, second, strict=True)]


KINDS: tuple[Kind, ...] = (
    Kind(
        name="balloon",
        draw=_draw_balloon,
        colours=("red", "blue", "yellow", "green"),
        states={
            "inflated": State(phrase="a {colour} balloon", look={"flying": 0.0, "popped": 0.0}),
            "popped": State(phrase="a popped {colour} balloon", look={"flying": 0.0, "popped": 1.0}),
            "flying": State(phrase="a {colour} balloon flying high", look={"flying": 1.0, "popped": 0.0}),
        },
    ),
    Kind(
        name="car",
        draw=_draw_car,
        colours=("red", "blue", "yellow", "green"),
        states={
            "side": State(phrase="a {colour} car", look={"front": 0.0, "hover": 0.0}),
            "front": State(phrase="a {colour} car seen from the front", look={"front": 1.0, "hover": 0.0}),
            "hovering": State(phrase="a {colour} hover car", look={"front": 0.0, "hover": 1.0}),
        },
    ),
    Kind(
        name="house",
        draw=_draw_house,
        colours=("white", "red", "yellow"),
        states={
            "new": State(phrase="a {colour} house", look={"ruined": 0.0, "gingerbread": 0.0}),
            "ruined": State(phrase="a ruined house", look={"ruined": 1.0, "gingerbread": 0.0}),
            "gingerbread": State(phrase="a gingerbread house", look={"ruined": 0.0, "gingerbread": 1.0}),
        },
    ),
    Kind(
        name="boat",
        draw=_draw_boat,
        colours=("red", "blue", "white"),
        states={
            "near": State(phrase="a {colour} sailing boat", look={"far": 0.0}),
            "far": State(phrase="a {colour} sailing boat far away", look={"far": 1.0}),
        },
    ),
    Kind(
        name="clock",
        draw=_draw_clock,
        colours=("white", "green", "red"),
        states={
            "working": State(phrase="a {colour} clock", look={"melting": 0.0}),
            "melting": State(phrase="a melting {colour} clock", look={"melting": 1.0}),
        },
    ),
)
