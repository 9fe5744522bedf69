"""Animals: cats, dogs, frogs, caterpillars, fish and snails, and what they turn into."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.pen import Pen, Point

INK: RGB = (28, 26, 32)
WHITE: RGB = (250, 250, 246)
CREAM: RGB = (250, 236, 206)
ROSE: RGB = (238, 128, 140)
RED: RGB = (212, 40, 44)
GOLD: RGB = (248, 200, 48)
STEEL: RGB = (132, 156, 186)
GLOW: RGB = (70, 240, 250)
BRASS: RGB = (178, 134, 58)


def _cross_fade(pen: Pen, share: float, before: Callable[[Pen], None], after: Callable[[Pen], None]) -> None:
    # Half way both are three quarters opaque, so that the ground hardly shines through.
    for draw, opacity in ((before, min(1.0, 1.5 * (1 - share))), (after, min(1.0, 1.5 * share))):
        if opacity > 0.99:
            draw(pen)
        elif opacity > 0.01:
            with pen.faded(opacity) as layer:
                draw(layer)


def _posed(base: Sequence[float], *poses: tuple[float, Sequence[float]]) -> tuple[float, ...]:
    """Move ``base`` towards each ``(weight, target)``."""
    return tuple(b + sum(w * (target[i] - b) for w, target in poses) for i, b in enumerate(base))


def _posed_points(base: Sequence[Point], *poses: tuple[float, Sequence[Point]]) -> list[Point]:
    return [_posed(b, *((w, target[i]) for w, target in poses)) for i, b in enumerate(base)]  # type: ignore[misc]


def _contrast(colour: RGB) -> RGB:
    """Return a shade of ``colour`` that stands out on it."""
    return shade(colour, 1.35) if sum(colour) < 200 else shade(colour, 0.62)


def _draw_cat(pen: Pen, look: Look, colour: RGB) -> None:
    sized = pen.moved(scale=1 + 0.7 * look["giant"])
    _cross_fade(sized, look["robot"], partial(_draw_live_cat, look=look, colour=colour), _draw_robot_cat)


def _draw_live_cat(pen: Pen, look: Look, colour: RGB) -> None:
    asleep, boots = look["asleep"], look["boots"]
    tail = _posed_points(
        [(0.22, 0.07), (0.42, 0.1), (0.46, 0.3), (0.38, 0.46)],
        (asleep, [(0.42, 0.14), (0.36, 0.05), (0.12, 0.05), (-0.06, 0.07)]),
        (boots, [(0.16, 0.34), (0.32, 0.28), (0.42, 0.42), (0.38, 0.58)]),
    )
    x, y, rx, ry = _posed((0.0, 0.26, 0.29, 0.28), (asleep, (0.08, 0.23, 0.4, 0.23)), (boots, (0.0, 0.42, 0.19, 0.22)))
    if boots > 0.01:
        _draw_boots(pen, boots)
    pen.ellipse(x, y, rx, ry, colour)
    pen.ellipse(x, y - 0.3 * ry, 0.5 * rx, 0.55 * ry, mix(_cat_belly(colour), colour, asleep), outline=False)
    pen.stroke(tail, mix(shade(colour, 0.8), _contrast(colour), asleep), 0.11, smooth=True)
    hx, hy, scale = _posed((0.0, 0.62, 1.0), (asleep, (-0.22, 0.2, 0.8)), (boots, (0.0, 0.65, 0.86)))
    head = pen.moved(hx, hy, scale=scale)
    _draw_cat_head(head, asleep, colour)
    if boots > 0.01:
        _draw_feathered_hat(head.moved(0, 0.2, scale=boots))


def _cat_belly(colour: RGB) -> RGB:
    return shade(colour, 1.25) if sum(colour) < 200 else shade(colour, 1.6)


def _draw_cat_head(head: Pen, asleep: float, colour: RGB) -> None:
    for side in (-1, 1):
        head.polygon([(side * 0.27, 0.0), (side * 0.27, 0.38), (side * 0.05, 0.18)], colour)
        head.polygon([(side * 0.22, 0.12), (side * 0.23, 0.28), (side * 0.12, 0.18)], ROSE, outline=False)
    head.ellipse(0, 0, 0.3, 0.24, colour)
    head.ellipse(0, -0.1, 0.15, 0.1, CREAM, outline=False)
    head.polygon([(-0.05, -0.05), (0.05, -0.05), (0.0, -0.12)], ROSE, outline=False)
    for side in (-1, 1):
        if asleep < 0.95:
            head.ellipse(side * 0.14, 0.04, 0.075, 0.085 * (1 - asleep), (206, 236, 84), outline=False)
            head.ellipse(side * 0.14, 0.04, 0.032, 0.075 * (1 - asleep), INK, outline=False)
        else:
            line = CREAM if sum(colour) < 200 else INK
            head.stroke([(side * 0.07, 0.04), (side * 0.14, 0.0), (side * 0.21, 0.04)], line, 0.05)


def _draw_boots(pen: Pen, boots: float) -> None:
    leather, cuff = (122, 62, 26), (222, 166, 96)
    for side in (-1, 1):
        leg = pen.moved(side * 0.12, 0.0, scale=max(boots, 0.05))
        leg.polygon([(-0.1, 0), (0.1, 0), (0.1, 0.26), (-0.1, 0.26)], leather)
        leg.ellipse(side * 0.07, 0.05, 0.15, 0.06, leather)
        leg.rectangle(-0.13, 0.22, 0.13, 0.31, cuff)


def _draw_feathered_hat(hat: Pen) -> None:
    hat.blob([(0.06, 0.1), (0.2, 0.36), (0.5, 0.38), (0.52, 0.22), (0.3, 0.2)], WHITE)
    hat.rectangle(-0.16, -0.02, 0.16, 0.27, RED, radius=0.08)
    hat.rectangle(-0.16, 0.05, 0.16, 0.12, GOLD, outline=False)
    hat.ellipse(0, 0.0, 0.42, 0.065, RED)


def _draw_robot_cat(pen: Pen) -> None:
    dark = shade(STEEL, 0.6)
    pen.stroke([(0.2, 0.08), (0.42, 0.08), (0.42, 0.42)], dark, 0.09)
    pen.stroke([(0.0, 0.8), (0.0, 0.98)], dark, 0.06)
    pen.ellipse(0, 1.0, 0.07, 0.07, RED)
    pen.rectangle(-0.28, 0.0, 0.28, 0.42, STEEL)
    pen.rectangle(-0.13, 0.12, 0.13, 0.3, dark, outline=False)
    for side in (-1, 1):
        pen.polygon([(side * 0.34, 0.8), (side * 0.34, 1.0), (side * 0.1, 0.8)], dark)
    pen.rectangle(-0.35, 0.4, 0.35, 0.82, shade(STEEL, 1.2))
    pen.rectangle(-0.28, 0.52, 0.28, 0.74, INK, outline=False)
    for side in (-1, 1):
        pen.rectangle(side * 0.06, 0.55, side * 0.22, 0.71, GLOW, outline=False)


def _draw_dog(pen: Pen, look: Look, colour: RGB) -> None:
    sized = pen.moved(scale=1 + 0.7 * look["giant"])
    _cross_fade(sized, look["robot"], partial(_draw_live_dog, asleep=look["asleep"], colour=colour), _draw_robot_dog)


def _draw_live_dog(pen: Pen, asleep: float, colour: RGB) -> None:
    tail = _posed_points(
        [(-0.3, 0.12), (-0.44, 0.24), (-0.44, 0.42)], (asleep, [(-0.38, 0.12), (-0.47, 0.08), (-0.5, 0.04)])
    )
    body = _posed_points(
        [(-0.34, 0.0), (-0.38, 0.2), (-0.22, 0.48), (0.0, 0.7), (0.2, 0.6), (0.22, 0.3), (0.24, 0.0), (-0.05, 0.0)],
        (
            asleep,
            [(-0.4, 0.0), (-0.46, 0.22), (-0.28, 0.38), (0.0, 0.36), (0.22, 0.3), (0.36, 0.18), (0.4, 0.0), (0.0, 0.0)],
        ),
    )
    pen.stroke(tail, _contrast(colour), 0.11, smooth=True)
    pen.blob(body, colour)
    x, y = _posed((-0.16, 0.16), (asleep, (-0.24, 0.15)))
    pen.ellipse(x, y, 0.2, 0.16, shade(colour, 0.85))
    paw_x, paw_y = _posed((0.2, 0.05), (asleep, (0.3, 0.05)))
    pen.ellipse(paw_x, paw_y, 0.14, 0.06, colour)
    hx, hy, scale = _posed((0.1, 0.72, 1.0), (asleep, (0.16, 0.25, 0.95)))
    _draw_dog_head(pen.moved(hx, hy, scale=scale), asleep, colour)


def _draw_dog_head(head: Pen, asleep: float, colour: RGB) -> None:
    if asleep < 0.95:
        head.rectangle(-0.18, -0.27, 0.12, -0.19, mix(RED, colour, asleep))
    head.ellipse(0, 0, 0.24, 0.22, colour)
    head.ellipse(0.23, -0.07, 0.17, 0.11, shade(colour, 1.3))
    head.ellipse(0.36, -0.01, 0.07, 0.06, INK, outline=False)
    head.ellipse(-0.15, -0.06, 0.1, 0.24, _contrast(colour), angle=-10)
    if asleep < 0.95:
        head.ellipse(0.09, 0.08, 0.07, 0.075 * (1 - asleep), WHITE, outline=False)
        head.ellipse(0.1, 0.08, 0.045, 0.055 * (1 - asleep), INK, outline=False)
    else:
        line = CREAM if sum(colour) < 200 else INK
        head.stroke([(0.02, 0.08), (0.09, 0.04), (0.16, 0.08)], line, 0.05)


def _draw_robot_dog(pen: Pen) -> None:
    dark = shade(STEEL, 0.6)
    pen.stroke([(-0.36, 0.48), (-0.46, 0.78)], dark, 0.06)
    pen.ellipse(-0.46, 0.8, 0.06, 0.06, RED)
    for x in (-0.34, 0.04):
        pen.rectangle(x, 0.0, x + 0.14, 0.28, dark)
    pen.rectangle(-0.42, 0.22, 0.24, 0.54, STEEL)
    pen.rectangle(-0.3, 0.31, 0.0, 0.44, dark, outline=False)
    pen.rectangle(0.2, 0.52, 0.5, 0.72, dark)
    pen.rectangle(0.42, 0.62, 0.5, 0.74, INK, outline=False)
    pen.rectangle(-0.1, 0.5, 0.3, 0.94, shade(STEEL, 1.2))
    pen.rectangle(0.08, 0.68, 0.26, 0.84, GLOW)
    pen.rectangle(-0.17, 0.5, -0.02, 0.88, dark)


def _draw_frog(pen: Pen, look: Look, colour: RGB) -> None:
    prince = look["prince"]
    _cross_fade(pen.moved(stretch=1 + 0.15 * prince), prince, partial(_draw_live_frog, colour=colour), _draw_prince)


def _draw_live_frog(pen: Pen, colour: RGB) -> None:
    dark = shade(colour, 0.8)
    for side in (-1, 1):
        pen.ellipse(side * 0.33, 0.2, 0.16, 0.2, dark)
        pen.ellipse(side * 0.3, 0.04, 0.19, 0.06, dark)
    pen.ellipse(0, 0.28, 0.31, 0.27, colour)
    pen.ellipse(0, 0.2, 0.21, 0.18, (206, 232, 140), outline=False)
    pen.ellipse(0, 0.52, 0.38, 0.22, shade(colour, 1.1))
    for side in (-1, 1):
        pen.ellipse(side * 0.22, 0.73, 0.15, 0.15, shade(colour, 1.1))
        pen.ellipse(side * 0.22, 0.74, 0.1, 0.1, WHITE, outline=False)
        pen.ellipse(side * 0.22, 0.74, 0.055, 0.07, INK, outline=False)
    pen.stroke([(-0.26, 0.5), (-0.12, 0.42), (0.12, 0.42), (0.26, 0.5)], (30, 74, 36), 0.06, smooth=True)


def _draw_prince(pen: Pen) -> None:
    # The frog's pen is stretched by 1.15 here, so this stays below y = 0.89.
    skin, coat = (250, 208, 170), (40, 84, 196)
    pen.polygon([(-0.15, 0.52), (0.15, 0.52), (0.36, 0.04), (-0.36, 0.04)], RED)
    for side in (-1, 1):
        pen.rectangle(side * 0.02, 0.0, side * 0.14, 0.2, WHITE)
        pen.ellipse(side * 0.1, 0.02, 0.1, 0.04, INK)
        pen.stroke([(side * 0.16, 0.44), (side * 0.24, 0.24)], coat, 0.1)
    pen.rectangle(-0.17, 0.16, 0.17, 0.52, coat, radius=0.06)
    pen.rectangle(-0.17, 0.22, 0.17, 0.29, GOLD, outline=False)
    pen.ellipse(0, 0.62, 0.22, 0.17, (104, 60, 28))
    pen.ellipse(0, 0.6, 0.17, 0.14, skin, outline=False)
    for side in (-1, 1):
        pen.ellipse(side * 0.08, 0.61, 0.035, 0.04, INK, outline=False)
    crown = [(-0.2, 0.7), (-0.25, 0.9), (-0.11, 0.81), (0.0, 0.92), (0.11, 0.81), (0.25, 0.9), (0.2, 0.7)]
    pen.polygon(crown, GOLD)


def _draw_caterpillar(pen: Pen, look: Look, colour: RGB) -> None:
    wings = look["wings"]
    if wings > 0.02:
        for side in (-1, 1):
            _draw_wing(pen.moved(0, 0.48 * wings, scale=wings), side)
    segments = 5
    for i in range(segments):
        x, y, r = _posed((-0.37 + 0.17 * i, 0.14 + 0.04 * (i % 2), 0.14), (wings, (0.0, 0.2 + 0.11 * i, 0.07)))
        striped = colour if i % 2 else (188, 222, 56)
        pen.ellipse(x, y, r, r, mix(striped, (72, 44, 40), wings))
    x, y, r = _posed((0.33, 0.3, 0.19), (wings, (0.0, 0.77, 0.11)))
    _draw_caterpillar_head(pen.moved(x, y, scale=r), mix(shade(colour, 1.1), (72, 44, 40), wings))


def _draw_wing(pen: Pen, side: int) -> None:
    orange, purple = (250, 140, 24), (132, 52, 180)
    pen.ellipse(side * 0.23, -0.2, 0.22, 0.19, purple, angle=side * -30)
    pen.ellipse(side * 0.24, -0.22, 0.1, 0.09, GOLD, outline=False)
    pen.blob([(0, 0.0), (side * 0.12, 0.3), (side * 0.46, 0.44), (side * 0.5, 0.12), (side * 0.28, -0.06)], orange)
    pen.ellipse(side * 0.34, 0.22, 0.12, 0.12, purple, outline=False)


def _draw_caterpillar_head(head: Pen, colour: RGB) -> None:
    for side in (-1, 1):
        head.stroke([(side * 0.4, 0.7), (side * 0.9, 1.7)], INK, 0.32)
    head.ellipse(0, 0, 1.0, 1.0, colour)
    for side in (-1, 1):
        head.ellipse(side * 0.42, 0.15, 0.34, 0.4, WHITE, outline=False)
        head.ellipse(side * 0.42, 0.12, 0.2, 0.26, INK, outline=False)


def _draw_fish(pen: Pen, look: Look, colour: RGB) -> None:
    legs = look["legs"]
    body = pen.moved(0, 0.48 + 0.24 * legs)
    if legs > 0.02:
        _draw_legs(body.moved(0, -0.14), legs, colour)
    _cross_fade(body, look["clockwork"], partial(_draw_live_fish, colour=colour), _draw_clockwork_fish)


def _draw_legs(hips: Pen, legs: float, colour: RGB) -> None:
    for x in (-0.13, 0.13):
        foot = -0.54 * legs
        hips.stroke([(x, 0.0), (x, foot)], shade(colour, 0.72), 0.1)
        shoe = hips.moved(x, foot, scale=legs)
        shoe.chord(0.05, -0.04, 0.17, 0.14, 0, 180, (130, 24, 60))


def _draw_live_fish(pen: Pen, colour: RGB) -> None:
    fin = shade(colour, 0.72)
    pen.polygon([(-0.2, 0.0), (-0.5, 0.25), (-0.42, 0.0), (-0.5, -0.25)], fin)
    pen.polygon([(-0.16, 0.16), (-0.1, 0.36), (0.2, 0.16)], fin)
    pen.blob([(-0.28, 0.0), (-0.05, 0.23), (0.28, 0.18), (0.47, 0.0), (0.28, -0.18), (-0.05, -0.23)], colour)
    pen.polygon([(0.0, 0.21), (0.1, 0.21), (0.06, 0.0), (0.1, -0.21), (0.0, -0.21), (-0.04, 0.0)], WHITE, outline=False)
    pen.polygon([(-0.02, -0.02), (-0.2, 0.02), (-0.2, -0.16)], fin)
    pen.ellipse(0.28, 0.06, 0.085, 0.085, WHITE)
    pen.ellipse(0.3, 0.06, 0.045, 0.045, INK, outline=False)


def _draw_clockwork_fish(pen: Pen) -> None:
    iron = (104, 110, 122)
    pen.stroke([(-0.04, 0.15), (-0.04, 0.36)], iron, 0.07)
    for side in (-1, 1):
        pen.ellipse(-0.04 + side * 0.12, 0.4, 0.12, 0.09, iron)
        pen.ellipse(-0.04 + side * 0.12, 0.4, 0.05, 0.03, CREAM, outline=False)
    pen.polygon([(-0.24, 0.07), (-0.5, 0.27), (-0.5, -0.27), (-0.24, -0.07)], iron)
    pen.polygon([(-0.3, 0.1), (-0.12, 0.24), (0.22, 0.24), (0.22, -0.24), (-0.12, -0.24), (-0.3, -0.1)], BRASS)
    pen.polygon([(0.2, 0.24), (0.32, 0.2), (0.48, 0.06), (0.48, -0.06), (0.32, -0.2), (0.2, -0.24)], (190, 196, 206))
    pen.polygon(_gear_points(-0.02, 0.0, 0.19, 8), iron)
    pen.ellipse(-0.02, 0.0, 0.06, 0.06, GOLD, outline=False)
    pen.ellipse(0.33, 0.06, 0.08, 0.08, INK)
    pen.ellipse(0.33, 0.06, 0.045, 0.045, RED, outline=False)


def _gear_points(cx: float, cy: float, radius: float, teeth: int) -> list[Point]:
    corners = 4 * teeth
    turns = [(radius if i % 4 < 2 else 0.72 * radius, 2 * math.pi * i / corners) for i in range(corners)]
    return [(cx + r * math.cos(t), cy + r * math.sin(t)) for r, t in turns]


def _draw_snail(pen: Pen, look: Look, colour: RGB) -> None:
    rocket = look["rocket"]
    flesh, shell_x = (222, 186, 118), -0.08
    for x in (0.3, 0.44):
        pen.stroke([(0.34, 0.34), (x, 0.58)], flesh, 0.07)
        pen.ellipse(x, 0.6, 0.06, 0.06, INK, outline=False)
    pen.blob([(-0.5, 0.0), (-0.2, 0.14), (0.14, 0.14), (0.26, 0.4), (0.42, 0.42), (0.46, 0.26), (0.36, 0.0)], flesh)
    pen.ellipse(shell_x, 0.37, 0.3, 0.29, colour)
    pen.stroke(_spiral_points(shell_x, 0.35, 0.2, 12), (246, 214, 156), 0.07, smooth=True)
    if rocket > 0.02:
        _draw_rocket(pen.moved(shell_x - 0.02, 0.64 + 0.16 * rocket, scale=rocket))


def _spiral_points(cx: float, cy: float, radius: float, steps: int) -> list[Point]:
    turns = [(radius * (1 - i / steps), math.radians(45 * i)) for i in range(steps)]
    return [(cx + r * math.cos(t), cy + r * math.sin(t)) for r, t in turns]


def _draw_rocket(pen: Pen) -> None:
    flame = [(-0.08, 0.15), (-0.36, 0.24), (-0.28, 0.1), (-0.52, 0.0), (-0.3, -0.12), (-0.44, -0.32), (-0.08, -0.16)]
    pen.polygon(flame, (250, 120, 20))
    pen.polygon([(x * 0.7, y * 0.55) for x, y in flame], (255, 232, 80), outline=False)
    for side in (-1, 1):
        pen.polygon([(-0.08, side * 0.1), (-0.16, side * 0.25), (0.14, side * 0.1)], shade(RED, 0.7))
    pen.rectangle(-0.1, -0.14, 0.3, 0.14, RED)
    pen.polygon([(0.3, 0.14), (0.5, 0.0), (0.3, -0.14)], WHITE)
    pen.ellipse(0.14, 0.0, 0.08, 0.08, (150, 216, 250))


def _pet_look(asleep: float = 0.0, robot: float = 0.0, giant: float = 0.0) -> dict[str, float]:
    return {"asleep": asleep, "robot": robot, "giant": giant}


KINDS: tuple[Kind, ...] = (
    Kind(
        name="cat",
        draw=_draw_cat,
        colours=("black", "orange", "grey"),
        states={
            "sitting": State(phrase="a {colour} cat", look={**_pet_look(), "boots": 0.0}),
            "sleeping": State(phrase="a sleeping {colour} cat", look={**_pet_look(asleep=1.0), "boots": 0.0}),
            "boots": State(phrase="a {colour} cat in boots", look={**_pet_look(), "boots": 1.0}),
            "robot": State(phrase="a robot cat", look={**_pet_look(robot=1.0), "boots": 0.0}),
            "giant": State(phrase="a gigantic {colour} cat", look={**_pet_look(giant=1.0), "boots": 0.0}),
        },
    ),
    Kind(
        name="dog",
        draw=_draw_dog,
        colours=("brown", "white", "black"),
        states={
            "sitting": State(phrase="a {colour} dog", look=_pet_look()),
            "sleeping": State(phrase="a sleeping {colour} dog", look=_pet_look(asleep=1.0)),
            "robot": State(phrase="a robot dog", look=_pet_look(robot=1.0)),
            "giant": State(phrase="a gigantic {colour} dog", look=_pet_look(giant=1.0)),
        },
    ),
    Kind(
        name="frog",
        draw=_draw_frog,
        colours=("green",),
        states={
            "sitting": State(phrase="a frog", look={"prince": 0.0}),
            "prince": State(phrase="a prince", look={"prince": 1.0}),
        },
    ),
    Kind(
        name="caterpillar",
        draw=_draw_caterpillar,
        colours=("green",),
        states={
            "crawling": State(phrase="a caterpillar", look={"wings": 0.0}),
            "butterfly": State(phrase="a butterfly", look={"wings": 1.0}),
        },
    ),
    Kind(
        name="fish",
        draw=_draw_fish,
        colours=("orange", "blue", "yellow"),
        states={
            "swimming": State(phrase="a {colour} fish", look={"legs": 0.0, "clockwork": 0.0}),
            "walking": State(phrase="a {colour} fish with long legs", look={"legs": 1.0, "clockwork": 0.0}),
            "clockwork": State(phrase="a clockwork fish", look={"legs": 0.0, "clockwork": 1.0}),
        },
    ),
    Kind(
        name="snail",
        draw=_draw_snail,
        colours=("brown",),
        states={
            "crawling": State(phrase="a snail", look={"rocket": 0.0}),
            "rocket": State(phrase="a rocket snail", look={"rocket": 1.0}),
        },
    ),
)
