"""Drawings of food."""

from __future__ import annotations

import math

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.objects.morphs import draw_faded, lerp, lerp_points
from editfoundry.tinyworld.pen import Pen, Point, arc_points

_EGGSHELL: RGB = (250, 232, 206)
_EGG_WHITE: RGB = (252, 252, 248)
_YOLK: RGB = (252, 176, 24)
_FLESH: RGB = (255, 244, 200)
_STALK: RGB = (92, 60, 34)
_ROT: RGB = (98, 68, 40)
_SPONGE: RGB = (244, 206, 112)
_CREAM: RGB = (255, 250, 236)
_PLATE: RGB = (216, 220, 228)
_FLAME: RGB = (255, 170, 30)
_WAFER: RGB = (226, 164, 84)


def _draw_egg(pen: Pen, look: Look, colour: RGB) -> None:
    broken, fried = look["broken"], look["fried"]
    # The whole egg gives way early to its two halves, while these still lie where it stood.
    cracked = min(1.0, broken * 4)
    if broken > 0.01:
        draw_faded(pen, 1 - fried, lambda p: _draw_spilled_egg(p, broken))
        draw_faded(pen, cracked * (1 - fried), lambda p: _draw_shell_halves(p, broken))
    draw_faded(pen, (1 - cracked) * (1 - fried), _draw_whole_egg)
    draw_faded(pen, fried, _draw_fried_egg)


def _draw_whole_egg(pen: Pen) -> None:
    pen.blob(
        [(0, 0), (0.3, 0.12), (0.37, 0.38), (0.25, 0.75), (0, 0.95), (-0.25, 0.75), (-0.37, 0.38), (-0.3, 0.12)],
        _EGGSHELL,
    )
    pen.ellipse(-0.13, 0.56, 0.07, 0.15, _EGG_WHITE, angle=-18, outline=False)


def _draw_spilled_egg(pen: Pen, broken: float) -> None:
    pen.ellipse(0, 0.04, 0.62 * broken, 0.13 * broken, _EGG_WHITE)
    pen.ellipse(0, 0.1, 0.26 * broken, 0.17 * broken, _YOLK)


def _draw_shell_halves(pen: Pen, broken: float) -> None:
    """Both halves of the shell, parted by ``broken``: the lower falls to the left, the pointed one to the right."""
    crack = [(0.37, 0.42), (0.22, 0.3), (0.1, 0.46), (-0.06, 0.3), (-0.2, 0.46), (-0.37, 0.4)]
    lower = pen.moved(lerp(0, -0.36, broken), lerp(0, 0.12, broken), lerp(1, 0.85, broken), angle=25 * broken)
    lower.polygon([*arc_points(0, 0.4, 0.37, 0.4, 180, 360), *crack], _EGGSHELL)
    upper = pen.moved(lerp(0, 0.06, broken), lerp(0, 0.12, broken), lerp(1, 0.85, broken), angle=-60 * broken)
    upper.polygon([*arc_points(0, 0.4, 0.37, 0.55, 180, 0), *crack], _EGGSHELL)


def _draw_fried_egg(pen: Pen) -> None:
    pen.blob(
        [
            (-0.58, 0.2),
            (-0.4, 0.42),
            (-0.1, 0.44),
            (0.15, 0.52),
            (0.45, 0.42),
            (0.58, 0.22),
            (0.38, 0.08),
            (0.12, 0.04),
            (-0.1, -0.04),
            (-0.42, 0.02),
        ],
        _EGG_WHITE,
    )
    pen.ellipse(0.02, 0.27, 0.25, 0.17, _YOLK)
    pen.ellipse(-0.07, 0.33, 0.07, 0.04, (255, 232, 140), outline=False)


_APPLE_LEFT: tuple[Point, ...] = (
    (0, 0.07),
    (-0.2, 0),
    (-0.42, 0.2),
    (-0.5, 0.48),
    (-0.42, 0.74),
    (-0.2, 0.85),
    (0, 0.77),
)
_APPLE_LEFT_ROTTEN: tuple[Point, ...] = (
    (0.0, 0.05),
    (-0.24, 0.0),
    (-0.47, 0.14),
    (-0.46, 0.37),
    (-0.44, 0.58),
    (-0.22, 0.7),
    (-0.02, 0.57),
)
_APPLE_RIGHT: tuple[Point, ...] = (
    (0.2, 0.85),
    (0.4, 0.76),
    (0.49, 0.6),
    (0.5, 0.45),
    (0.46, 0.3),
    (0.4, 0.18),
    (0.2, 0),
)
_APPLE_RIGHT_ROTTEN: tuple[Point, ...] = (
    (0.2, 0.66),
    (0.36, 0.65),
    (0.46, 0.52),
    (0.44, 0.37),
    (0.47, 0.25),
    (0.46, 0.13),
    (0.22, 0.0),
)
_APPLE_RIGHT_FLESH: tuple[Point, ...] = (
    (0.2, 0.85),
    (0.38, 0.77),
    (0.3, 0.64),
    (0.28, 0.48),
    (0.24, 0.34),
    (0.4, 0.18),
    (0.2, 0),
)
_APPLE_RIGHT_SKIN: tuple[Point, ...] = (
    (0.18, 0.85),
    (0.2, 0.74),
    (0.02, 0.66),
    (0.06, 0.48),
    (-0.02, 0.3),
    (0.18, 0.16),
    (0.18, 0),
)


def _draw_apple(pen: Pen, look: Look, colour: RGB) -> None:
    bite, rot = look["bite"], look["rot"]
    apple = pen.moved(scale=lerp(1, 1.75, look["size"]))
    skin = mix(colour, _ROT, rot)
    left = lerp_points(_APPLE_LEFT, _APPLE_LEFT_ROTTEN, rot)
    right = lerp_points(_APPLE_RIGHT, _APPLE_RIGHT_ROTTEN, rot)
    if bite > 0.01:
        apple.blob([*left, *lerp_points(right, _APPLE_RIGHT_FLESH, bite)], mix(_FLESH, _ROT, rot))
    apple.blob([*left, *lerp_points(right, _APPLE_RIGHT_SKIN, bite)], skin)
    apple.ellipse(-0.26, lerp(0.56, 0.4, rot), 0.08, 0.13, shade(skin, lerp(1.5, 1, rot)), angle=-25, outline=False)
    top = lerp(0.76, 0.56, rot)
    apple.stroke([(0, top), (0.05, top + 0.22)], _STALK, 0.08)
    leaf = apple.moved(0.05, top + 0.1, angle=lerp(25, -12, rot))
    leaf.ellipse(0.17, 0, 0.17, 0.08, mix((84, 176, 60), (150, 136, 60), rot))
    draw_faded(apple, rot, _draw_rot)


def _draw_rot(pen: Pen) -> None:
    """Dark spots on the apple and flies about it."""
    dark: RGB = (48, 36, 26)
    pen.ellipse(-0.2, 0.24, 0.13, 0.1, dark, outline=False)
    pen.ellipse(0.22, 0.42, 0.1, 0.08, dark, outline=False)
    for x, y in ((-0.46, 0.86), (0.46, 0.92), (-0.16, 1.02)):
        pen.ellipse(x - 0.06, y + 0.07, 0.07, 0.045, (236, 240, 246), angle=-40, outline=False)
        pen.ellipse(x + 0.06, y + 0.07, 0.07, 0.045, (236, 240, 246), angle=40, outline=False)
        pen.ellipse(x, y, 0.075, 0.06, (20, 20, 24), outline=False)


_BANANA_FRESH: tuple[Point, ...] = (
    (-0.52, 0.7),
    (-0.45, 0.34),
    (-0.22, 0.08),
    (0.1, 0),
    (0.38, 0.12),
    (0.54, 0.36),
    (0.46, 0.42),
    (0.26, 0.36),
    (0.04, 0.36),
    (-0.18, 0.5),
    (-0.32, 0.74),
)
_BANANA_BROWN: tuple[Point, ...] = (
    (-0.53, 0.47),
    (-0.5, 0.2),
    (-0.26, 0.03),
    (0.09, 0.0),
    (0.39, 0.04),
    (0.55, 0.19),
    (0.51, 0.28),
    (0.3, 0.3),
    (0.04, 0.33),
    (-0.21, 0.4),
    (-0.37, 0.56),
)


def _draw_banana(pen: Pen, look: Look, colour: RGB) -> None:
    """``age`` runs from green (0) over ripe (0.5) to brown (1)."""
    ripe, brown = min(1.0, look["age"] * 2), max(0.0, look["age"] * 2 - 1)
    skin = mix(mix((84, 174, 48), colour, ripe), (134, 86, 38), brown)
    end = mix((40, 96, 30), _STALK, ripe)
    top = (lerp(-0.44, -0.47, brown), lerp(0.68, 0.48, brown))
    pen.stroke([top, (top[0] + 0.02, top[1] + lerp(0.24, 0.16, brown))], shade(end, lerp(1, 0.6, brown)), 0.15)
    pen.blob(lerp_points(_BANANA_FRESH, _BANANA_BROWN, brown), skin)
    ridge = lerp_points(
        [(-0.38, 0.52), (-0.16, 0.26), (0.1, 0.18), (0.36, 0.26)],
        [(-0.4, 0.32), (-0.18, 0.2), (0.1, 0.15), (0.4, 0.18)],
        brown,
    )
    pen.stroke(ridge, shade(skin, 0.78), 0.07, smooth=True)
    pen.ellipse(
        lerp(0.5, 0.54, brown), lerp(0.38, 0.23, brown), 0.07, 0.07, shade(end, lerp(1, 0.5, brown)), outline=False
    )
    draw_faded(pen, brown, _draw_banana_spots)


def _draw_banana_spots(pen: Pen) -> None:
    for x, y, radius in ((-0.37, 0.34, 0.09), (-0.14, 0.14, 0.1), (0.1, 0.24, 0.08), (0.32, 0.12, 0.09)):
        pen.ellipse(x, y, radius, radius * 0.75, (44, 28, 18), outline=False)


def _draw_cake(pen: Pen, look: Look, colour: RGB) -> None:
    missing, tower = look["missing"], look["tower"]
    radius, height = lerp(0.5, 0.72, tower), lerp(0.46, 0.36, tower)
    pen.ellipse(0, 0.1, radius * 1.18, radius * 0.34, _PLATE)
    bottom = 0.13
    _draw_cake_tier(pen.moved(dy=bottom), radius, height, missing, colour)
    bottom += height
    if tower > 0.01:
        for share in (0.76, 0.54, 0.34):
            _draw_cake_tier(pen.moved(dy=bottom), radius * share * tower, height * tower, 0.0, colour)
            bottom += height * tower
    candle = 1 - missing
    if candle > 0.01:
        for x, y in lerp_points([(0, 0.08), (-0.24, 0), (0.24, 0)], [(0, 0.03), (-0.12, 0), (0.12, 0)], tower):
            _draw_candle(pen.moved(x, bottom + y, candle))


def _draw_cake_tier(pen: Pen, radius: float, height: float, missing: float, colour: RGB) -> None:
    """A round cake; a wedge opens at its front, ``missing`` of its full width."""
    squash = radius * 0.28
    left, right = lerp(360, 232, missing), lerp(360, 352, missing)
    side = shade(colour, 0.86)
    for angle, light in ((left, 1.0), (right, 0.9)):
        edge = arc_points(0, 0, radius, squash, angle, angle)[0]
        _draw_cake_wall(pen, edge, height, light)
    for start, end in ((180, left), (right, 360)):
        low = arc_points(0, 0, radius, squash, start, end)
        for bottom, top, fill in ((0.0, 1.0, side), (0.0, 0.3, shade(colour, 0.66))):
            band = [(x, y + bottom * height) for x, y in low] + [(x, y + top * height) for x, y in reversed(low)]
            pen.polygon(band, fill)
    if missing > 0.01:
        pen.pie(0, height, radius, squash, right - 360, left, shade(colour, 1.2))
    else:
        pen.ellipse(0, height, radius, squash, shade(colour, 1.2))


def _draw_cake_wall(pen: Pen, edge: Point, height: float, light: float) -> None:
    """The cut face from the cake's axis to ``edge``: sponge with a layer of cream."""
    for bottom, top, fill in ((0.0, 1.0, _SPONGE), (0.38, 0.6, _CREAM)):
        pen.polygon(
            [
                (0, bottom * height),
                (edge[0], edge[1] + bottom * height),
                (edge[0], edge[1] + top * height),
                (0, top * height),
            ],
            shade(fill, light),
            outline=fill == _SPONGE,
        )


def _draw_candle(pen: Pen) -> None:
    pen.rectangle(-0.04, 0, 0.04, 0.2, (60, 120, 220))
    pen.ellipse(0, 0.28, 0.055, 0.08, _FLAME, outline=False)


_ICE_PUDDLE: tuple[Point, ...] = (
    (-0.55, 0),
    (-0.3, 0.09),
    (0.1, 0.13),
    (0.55, 0.12),
    (0.74, 0),
    (0.45, -0.11),
    (0.1, -0.08),
    (-0.25, -0.13),
)


def _draw_ice_cream(pen: Pen, look: Look, colour: RGB) -> None:
    melt = look["melt"]
    ice = shade(colour, 1.15)
    if melt > 0.01:
        pen.blob([(x * melt, 0.04 + y * melt) for x, y in _ICE_PUDDLE], ice)
    _draw_cone(pen.moved(lerp(0, -0.52, melt), lerp(0, 0.27, melt), angle=-88 * melt))
    # The scoop stays at the cone's mouth while the cone topples, sagging a little.
    lean = math.radians(88 * melt)
    scoop = pen.moved(0.72 * math.sin(lean) - 0.52 * melt, 0.72 * math.cos(lean) + 0.15 * melt)
    scoop.ellipse(0, 0, lerp(0.35, 0.28, melt), lerp(0.3, 0.17, melt), ice)
    fresh_rim, melted_rim = [(-0.25, -0.16), (0, -0.2), (0.25, -0.16)], [(-0.14, -0.1), (0.06, -0.12), (0.24, -0.1)]
    for x, y in lerp_points(fresh_rim, melted_rim, melt):
        scoop.ellipse(x, y, 0.13, lerp(0.1, 0.08, melt), ice, outline=False)
    scoop.ellipse(-0.1, lerp(0.12, 0.06, melt), 0.1, lerp(0.08, 0.05, melt), shade(colour, 1.5), outline=False)


def _draw_cone(pen: Pen) -> None:
    pen.polygon([(0, 0), (0.3, 0.6), (-0.3, 0.6)], _WAFER)
    for sign in (-1, 1):
        pen.stroke([(sign * 0.07, 0.18), (-sign * 0.17, 0.5)], shade(_WAFER, 0.7), 0.05)
        pen.stroke([(sign * 0.15, 0.36), (sign * 0.05, 0.54)], shade(_WAFER, 0.7), 0.05)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="egg",
        draw=_draw_egg,
        colours=("white",),
        states={
            "whole": State(phrase="a whole egg", look={"broken": 0.0, "fried": 0.0}),
            "broken": State(phrase="a broken egg", look={"broken": 1.0, "fried": 0.0}),
            "fried": State(phrase="a fried egg", look={"broken": 1.0, "fried": 1.0}),
        },
    ),
    Kind(
        name="apple",
        draw=_draw_apple,
        colours=("red", "green", "yellow"),
        states={
            "whole": State(phrase="a {colour} apple", look={"bite": 0.0, "rot": 0.0, "size": 0.0}),
            "bitten": State(phrase="a bitten {colour} apple", look={"bite": 1.0, "rot": 0.0, "size": 0.0}),
            "rotten": State(phrase="a rotten apple", look={"bite": 0.0, "rot": 1.0, "size": 0.0}),
            "giant": State(phrase="a gigantic {colour} apple", look={"bite": 0.0, "rot": 0.0, "size": 1.0}),
        },
    ),
    Kind(
        name="banana",
        draw=_draw_banana,
        colours=("yellow",),
        states={
            "green": State(phrase="an unripe green banana", look={"age": 0.0}),
            "ripe": State(phrase="a ripe banana", look={"age": 0.5}),
            "brown": State(phrase="an overripe brown banana", look={"age": 1.0}),
        },
    ),
    Kind(
        name="cake",
        draw=_draw_cake,
        colours=("pink", "brown", "white"),
        states={
            "whole": State(phrase="a {colour} cake", look={"missing": 0.0, "tower": 0.0}),
            "sliced": State(phrase="a sliced {colour} cake", look={"missing": 1.0, "tower": 0.0}),
            "towering": State(phrase="a towering {colour} cake", look={"missing": 0.0, "tower": 1.0}),
        },
    ),
    Kind(
        name="ice cream",
        draw=_draw_ice_cream,
        colours=("pink", "brown", "green"),
        states={
            "fresh": State(phrase="a {colour} ice cream", look={"melt": 0.0}),
            "melted": State(phrase="a melted {colour} ice cream", look={"melt": 1.0}),
        },
    ),
)
