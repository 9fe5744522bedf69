"""Things that grow, melt or burn: tree, plant, pumpkin, snowman, ice cube and campfire."""

from __future__ import annotations

import math
from collections.abc import Sequence

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.kinds import Kind, Look, State
from editfoundry.tinyworld.pen import Pen, Point

_BARK: RGB = (112, 72, 42)
_SOIL: RGB = (92, 60, 40)
_STEM: RGB = (56, 148, 56)
_GOLD: RGB = (250, 204, 60)
_GLOW: RGB = (255, 240, 120)
_CARROT: RGB = (244, 124, 24)
_COAL: RGB = (40, 40, 46)
_WATER: RGB = (130, 200, 244)
_ASH: RGB = (172, 172, 176)
_DEAD_LEAF: RGB = (134, 96, 50)

# A tree's crown: centre and radius of each lobe.
_LOBES = ((-0.27, 0.56, 0.21), (0.27, 0.56, 0.21), (-0.14, 0.78, 0.2), (0.16, 0.77, 0.2), (0.0, 0.6, 0.25))
_FALLEN_LEAVES = ((-0.42, 0.03), (-0.2, -0.02), (0.22, -0.02), (0.42, 0.04))
# A pixel-art tree's crown from the top down, one letter a block: dark, medium, light.
_BLOCK_ROWS = ("  ML  ", " MMLM ", "MMDMLM", "MDMMMM", "DMMDMD")


def _between(first: Point, second: Point, share: float) -> Point:
    return (first[0] + (second[0] - first[0]) * share, first[1] + (second[1] - first[1]) * share)


def _morph(first: Sequence[Point], second: Sequence[Point], share: float) -> list[Point]:
    return [_between(a, b, share) for a, b in zip(first, second, strict=True)]


def _edged_stroke(pen: Pen, points: Sequence[Point], fill: RGB, width: float, smooth: bool = False) -> None:
    pen.stroke(points, shade(fill, 0.55), width + 0.06, smooth)
    pen.stroke(points, fill, width, smooth)


def _leaf(pen: Pen, base: Point, length: float, angle: float, fill: RGB) -> None:
    leaf = pen.moved(*base, scale=length, angle=angle)
    leaf.blob([(0.0, 0.0), (0.35, 0.26), (0.75, 0.2), (1.0, 0.0), (0.75, -0.2), (0.35, -0.26)], fill)


def _puddle(pen: Pen, size: float) -> None:
    """A flat pool of water, ``size`` 1 filling the object's width."""
    pen.ellipse(0.0, 0.05, 0.52 * size, 0.13 * size, shade(_WATER, 0.75), outline=False)
    pen.ellipse(0.0, 0.055, 0.47 * size, 0.1 * size, _WATER, outline=False)
    pen.ellipse(0.08 * size, 0.09, 0.22 * size, 0.035 * size, shade(_WATER, 1.7), outline=False)


def _draw_tree(pen: Pen, look: Look, colour: RGB) -> None:
    pixel = look["pixel"]
    if pixel <= 0.01:
        _draw_natural_tree(pen, look, colour)
        return
    if pixel < 0.99:
        with pen.faded(1.0 - pixel) as layer:
            _draw_natural_tree(layer, look, colour)
    with pen.faded(pixel) as layer:
        _draw_pixel_tree(layer)


def _draw_natural_tree(pen: Pen, look: Look, colour: RGB) -> None:
    pen.polygon([(-0.14, 0.0), (0.14, 0.0), (0.07, 0.3), (0.06, 0.6), (-0.06, 0.6), (-0.07, 0.3)], _BARK)
    branches = (((0.0, 0.3), (-0.22, 0.55), (-0.4, 0.68)), ((0.0, 0.38), (0.22, 0.58), (0.42, 0.72)),
                ((0.0, 0.5), (-0.08, 0.75), (-0.18, 0.96)), ((0.0, 0.5), (0.1, 0.75), (0.16, 0.94)))  # fmt: skip
    for branch in branches:
        pen.stroke(branch, _BARK, 0.075)
    crown = mix(colour, (236, 92, 24), look["autumn"])
    size = 1.0 - look["bare"]
    if size > 0.01:
        for cx, cy, r in _LOBES:
            pen.ellipse(cx, cy, (r + 0.025) * size, (r + 0.025) * size, shade(crown, 0.55), outline=False)
        for cx, cy, r in _LOBES:
            pen.ellipse(cx, cy, r * size, r * size, crown, outline=False)
        pen.ellipse(-0.14, 0.8, 0.11 * size, 0.09 * size, mix(crown, _GOLD, 0.45), outline=False)
        pen.ellipse(0.2, 0.62, 0.1 * size, 0.08 * size, mix(crown, _GOLD, 0.45), outline=False)
    if look["autumn"] > 0.01:
        for x, y in _FALLEN_LEAVES:
            pen.ellipse(x, y, 0.09 * look["autumn"], 0.055 * look["autumn"], (236, 92, 24))


def _draw_pixel_tree(pen: Pen) -> None:
    block = 1.0 / 6
    tints = {"D": (0, 140, 40), "M": (30, 200, 50), "L": (150, 250, 70)}
    pen.rectangle(-block, 0.0, block, 2 * block, (150, 80, 20))
    pen.rectangle(0.0, 0.0, block, 2 * block, (100, 50, 10), outline=False)
    for row, letters in enumerate(_BLOCK_ROWS):
        top = 1.0 - row * 0.15
        for column, letter in enumerate(letters):
            if letter != " ":
                left = -0.5 + column * block
                pen.rectangle(left, top - 0.15, left + block, top, tints[letter], outline=False)


def _draw_plant(pen: Pen, look: Look, colour: RGB) -> None:
    if look["giant"] > 0.01:
        _draw_beanstalk(pen, look["giant"])
    if look["height"] > 0.01:
        _draw_stalk(pen, look, colour)
    if look["seed"] > 0.01:
        seed = pen.moved(0.0, 0.1, scale=1.3 * look["seed"], angle=-18.0)
        seed.blob([(0.0, 0.62), (0.2, 0.34), (0.19, 0.1), (0.0, -0.02), (-0.19, 0.1), (-0.2, 0.34)], (190, 122, 58))
        seed.ellipse(-0.07, 0.32, 0.05, 0.12, (236, 190, 124), angle=-10.0, outline=False)
    pen.chord(0.0, 0.0, 0.42, 0.17, 0.0, 180.0, _SOIL)


def _draw_stalk(pen: Pen, look: Look, colour: RGB) -> None:
    """The stem with its two leaves and its flower; withering bends it over and browns it."""
    wither, height = look["wither"], look["height"]
    upright = [(0.0, 0.05 + y * height) for y in (0.0, 0.25, 0.45, 0.62, 0.7)]
    bent = [(0.0, 0.05), (-0.16, 0.42), (-0.08, 0.78), (0.16, 0.82), (0.27, 0.6)]
    stem = _morph(upright, bent, wither)
    green = mix(_STEM, _DEAD_LEAF, wither)
    pen.stroke(stem, green, 0.085, smooth=True)
    for side in (1.0, -1.0):
        rising = 90.0 - side * 58.0
        drooping = 90.0 - side * 112.0
        length = look["leaf"] * (1.0 - 0.25 * wither)
        _leaf(pen, _between(stem[1], stem[4], look["leaf_spot"]), length, rising + (drooping - rising) * wither, green)
    if look["bloom"] > 0.01:
        _draw_flower_head(pen.moved(*stem[4], scale=look["bloom"], angle=-175.0 * wither), wither, colour)


def _draw_flower_head(pen: Pen, wither: float, colour: RGB) -> None:
    petal = mix(colour, (118, 80, 44), wither)
    spread = 60.0 - 30.0 * wither
    for i in range(6):
        direction = math.radians(90.0 + spread * (i - 2.5))
        x, y = 0.2 * math.cos(direction), 0.2 * math.sin(direction)
        pen.ellipse(x, y, 0.15, 0.115 - 0.04 * wither, petal, angle=math.degrees(direction))
    centre = mix(_GOLD if colour[1] < 190 else (150, 84, 30), shade(_DEAD_LEAF, 0.6), wither)
    pen.ellipse(0.0, 0.0, 0.12, 0.12, centre)


def _draw_beanstalk(pen: Pen, giant: float) -> None:
    """Two strands wound round each other, with leaves growing along them."""
    top = 0.15 + 1.5 * giant
    bottom, steps = 0.14, [i / 12 for i in range(13)]
    width = 0.17 * min(1.0, 0.4 + giant)

    def strand(side: float) -> list[Point]:
        sway = side * 0.15 * giant
        return [(sway * math.cos(9.5 * t * giant) * (1.0 - 0.6 * t), bottom + (top - bottom) * t) for t in steps]

    for i, side in enumerate((-1.0, 1.0, -1.0, 1.0, -1.0)):
        y = top * (0.24 + 0.155 * i)
        _leaf(pen, (0.04 * side, y), (0.66 - 0.06 * i) * giant, 90.0 - side * 66.0, (86, 190, 66))
    _edged_stroke(pen, strand(-1.0), (36, 118, 46), width)
    _edged_stroke(pen, strand(1.0), (70, 176, 62), width)
    _leaf(pen, (0.0, top - 0.05), 0.26 * giant, 60.0, (86, 190, 66))


def _draw_pumpkin(pen: Pen, look: Look, colour: RGB) -> None:
    carriage, lantern = look["carriage"], look["lantern"]
    skin = mix(shade(colour, 1.0 - 0.12 * lantern), _GOLD, 0.35 * carriage)
    body = pen.moved(dy=0.19 * carriage, scale=1.0 - 0.08 * carriage)
    stem = mix((70, 120, 44), _GOLD, carriage)
    body.polygon([(-0.08, 0.68), (0.08, 0.68), (0.1, 0.86), (-0.02, 0.9)], stem)
    for cx, tint in ((-0.28, 0.85), (0.28, 0.85), (-0.14, 0.93), (0.14, 0.93), (0.0, 1.0)):
        body.ellipse(cx, 0.38, 0.17 if cx == 0.0 else 0.22, 0.32 + 0.25 * (0.3 - abs(cx)), shade(skin, tint))
    if carriage > 0.01:
        _draw_coachwork(pen, carriage)
    if lantern > 0.01:
        _draw_carved_face(body, lantern)


def _draw_coachwork(pen: Pen, carriage: float) -> None:
    window = pen.moved(0.0, 0.58, scale=carriage)
    window.rectangle(-0.21, -0.18, 0.21, 0.18, _GOLD, radius=0.09)
    window.rectangle(-0.14, -0.11, 0.14, 0.11, (150, 216, 250), radius=0.05)
    for x in (-0.3, 0.3):
        wheel = pen.moved(x, 0.19, scale=carriage)
        wheel.ellipse(0.0, 0.0, 0.22, 0.22, _GOLD)
        wheel.ellipse(0.0, 0.0, 0.145, 0.145, (104, 62, 30))
        wheel.stroke([(-0.15, 0.0), (0.15, 0.0)], _GOLD, 0.05)
        wheel.stroke([(0.0, -0.15), (0.0, 0.15)], _GOLD, 0.05)


def _draw_carved_face(pen: Pen, size: float) -> None:
    for x in (-0.2, 0.2):
        pen.moved(x, 0.5, scale=size).polygon([(-0.13, -0.08), (0.13, -0.08), (0.0, 0.14)], _GLOW)
    grin = [(-0.36, 0.12), (-0.18, 0.02), (-0.1, 0.08), (0.0, 0.0), (0.1, 0.08), (0.18, 0.02), (0.36, 0.12),
            (0.22, -0.14), (0.0, -0.2), (-0.22, -0.14)]  # fmt: skip
    pen.moved(0.0, 0.27, scale=size).polygon(grin, _GLOW)


def _draw_snowman(pen: Pen, look: Look, colour: RGB) -> None:
    melt = look["melt"]
    if melt > 0.01:
        _puddle(pen, math.sqrt(melt))
    if melt < 0.99:
        _draw_snow(pen, melt, colour)
    nose = pen.moved(*_between((0.0, 0.61), (0.12, 0.1), melt), angle=-8.0 + 16.0 * melt)
    nose.polygon([(0.0, 0.055), (0.34, 0.0), (0.0, -0.055)], _CARROT)
    hat = pen.moved(*_between((0.0, 0.8), (-0.22, 0.06), melt), angle=14.0 * melt)
    hat.rectangle(-0.14, 0.0, 0.14, 0.24, _COAL, outline=False)
    hat.rectangle(-0.14, 0.05, 0.14, 0.12, (200, 40, 40), outline=False)
    hat.rectangle(-0.24, -0.02, 0.24, 0.06, _COAL, outline=False)


def _draw_snow(pen: Pen, melt: float, colour: RGB) -> None:
    """The two snowballs with eyes, buttons and arms, sinking and spreading as they melt."""
    left = 1.0 - melt
    body = pen.moved(dy=0.05 * melt, stretch=left)
    for side in (-1.0, 1.0):
        body.stroke([(side * 0.22, 0.38), (side * 0.47, 0.55)], _BARK, 0.065 * left)
    wide = 1.0 + 0.4 * melt
    balls = ((0.27, 0.31, 0.27), (0.65, 0.21, 0.2))
    for edge, fill in ((0.035, (92, 112, 146)), (0.0, colour)):
        for cy, rx, ry in balls:
            body.ellipse(0.0, cy, (rx + edge) * wide, ry + edge, fill, outline=False)
    body.ellipse(0.12, 0.17, 0.14 * wide, 0.1, (206, 220, 238), outline=False)
    for x, y in ((-0.09, 0.7), (0.09, 0.7), (0.0, 0.38), (0.0, 0.22)):
        body.ellipse(x, y, 0.04, 0.04, _COAL, outline=False)


def _draw_ice_cube(pen: Pen, look: Look, colour: RGB) -> None:
    melt = look["melt"]
    if melt > 0.01:
        _puddle(pen, math.sqrt(melt))
    if melt > 0.99:
        return
    ice = mix((110, 214, 246), colour, 0.08)
    cube = pen.moved(dy=0.05 * melt, scale=1.0 - 0.4 * melt, stretch=1.0 - melt)
    cube.polygon([(-0.46, 0.0), (0.22, 0.0), (0.22, 0.64), (-0.46, 0.64)], ice)
    cube.polygon([(0.22, 0.0), (0.48, 0.22), (0.48, 0.86), (0.22, 0.64)], shade(ice, 0.68))
    cube.polygon([(-0.46, 0.64), (0.22, 0.64), (0.48, 0.86), (-0.2, 0.86)], shade(ice, 1.65))
    cube.polygon([(-0.38, 0.3), (-0.38, 0.56), (-0.28, 0.56), (-0.28, 0.38)], shade(ice, 1.8), outline=False)
    cube.polygon([(-0.2, 0.06), (0.14, 0.06), (0.14, 0.4)], shade(ice, 1.4), outline=False)


def _draw_campfire(pen: Pen, look: Look, colour: RGB) -> None:
    fire, ash = look["fire"], look["ash"]
    if ash > 0.01:
        _draw_smoke(pen, ash)
    if fire > 0.01:
        _flame(pen.moved(dy=0.08, scale=fire), 1.0, (226, 56, 24))
    _draw_logs(pen, 0.68 - 0.24 * fire, ash, mix(colour, (74, 44, 30), 0.4 * fire))
    if fire > 0.01:
        _flame(pen.moved(dy=0.08, scale=fire), 0.78, (250, 140, 30))
        _flame(pen.moved(dy=0.08, scale=fire), 0.42, _GLOW)
    if ash > 0.01:
        heap = [(-0.44, 0.02), (-0.28, 0.24), (-0.08, 0.42), (0.1, 0.38), (0.28, 0.22), (0.44, 0.02)]
        pen.moved(scale=ash).polygon(heap, _ASH)
        pen.ellipse(-0.06, 0.28 * ash, 0.14 * ash, 0.06 * ash, shade(_ASH, 1.5), outline=False)
        pen.ellipse(0.16, 0.18 * ash, 0.1 * ash, 0.05 * ash, shade(_ASH, 0.6), outline=False)
    for x in (-0.42, -0.21, 0.0, 0.21, 0.42):
        pen.ellipse(x, 0.03, 0.12, 0.075, (96, 100, 112))


def _draw_logs(pen: Pen, top: float, ash: float, wood: RGB) -> None:
    """Four logs leaning together up to ``top``; as they burn down they shrink into the heap and char."""
    tint = mix(wood, _COAL, ash)
    for base, tip, light in ((-0.16, 0.1, 0.75), (0.16, -0.1, 0.75), (-0.36, 0.14, 1.15), (0.36, -0.14, 1.0)):
        end = _between((tip, top), (base * 0.8, 0.28), ash)
        _edged_stroke(pen, [(base, 0.08), end], shade(tint, light), 0.1)


def _flame(pen: Pen, size: float, fill: RGB) -> None:
    flame = [(-0.2, 0.0), (-0.42, 0.26), (-0.36, 0.62), (-0.2, 0.46), (-0.04, 1.04), (0.14, 0.6), (0.3, 0.78),
             (0.42, 0.3), (0.2, 0.0)]  # fmt: skip
    pen.moved(scale=size).blob(flame, fill, outline=False)


def _draw_smoke(pen: Pen, size: float) -> None:
    wisp = [(0.0, 0.2), (0.0, 0.4), (0.12, 0.54), (-0.04, 0.66), (-0.12, 0.8), (0.04, 1.0)]
    _edged_stroke(pen.moved(scale=size), wisp, (214, 214, 220), 0.09, smooth=True)


def _plant_look(**changes: float) -> dict[str, float]:
    nothing = {"seed": 0.0, "height": 0.0, "leaf": 0.0, "leaf_spot": 0.0, "bloom": 0.0, "wither": 0.0, "giant": 0.0}
    return nothing | changes


KINDS: tuple[Kind, ...] = (
    Kind(
        name="tree",
        draw=_draw_tree,
        colours=("green",),
        states={
            "green": State(phrase="a green tree", look={"autumn": 0.0, "bare": 0.0, "pixel": 0.0}),
            "autumn": State(phrase="an autumn tree", look={"autumn": 1.0, "bare": 0.0, "pixel": 0.0}),
            "bare": State(phrase="a bare tree", look={"autumn": 0.0, "bare": 1.0, "pixel": 0.0}),
            "pixel": State(phrase="a pixel-art tree", look={"autumn": 0.0, "bare": 0.0, "pixel": 1.0}),
        },
    ),
    Kind(
        name="plant",
        draw=_draw_plant,
        colours=("red", "yellow", "purple"),
        states={
            "seed": State(phrase="a seed", look=_plant_look(seed=1.0, leaf_spot=0.9)),
            "sprout": State(phrase="a sprout", look=_plant_look(height=0.65, leaf=0.52, leaf_spot=0.9)),
            "flower": State(phrase="a {colour} flower", look=_plant_look(height=1.0, leaf=0.36, bloom=1.0)),
            "withered": State(
                phrase="a withered flower", look=_plant_look(height=1.0, leaf=0.3, bloom=0.9, wither=1.0)
            ),
            "beanstalk": State(phrase="a giant beanstalk", look=_plant_look(giant=1.0)),
        },
    ),
    Kind(
        name="pumpkin",
        draw=_draw_pumpkin,
        colours=("orange",),
        states={
            "plain": State(phrase="a pumpkin", look={"carriage": 0.0, "lantern": 0.0}),
            "carriage": State(phrase="a pumpkin carriage", look={"carriage": 1.0, "lantern": 0.0}),
            "lantern": State(phrase="a jack-o'-lantern", look={"carriage": 0.0, "lantern": 1.0}),
        },
    ),
    Kind(
        name="snowman",
        draw=_draw_snowman,
        colours=("white",),
        states={
            "standing": State(phrase="a snowman", look={"melt": 0.0}),
            "melted": State(phrase="a melted snowman", look={"melt": 1.0}),
        },
    ),
    Kind(
        name="ice cube",
        draw=_draw_ice_cube,
        colours=("blue",),
        states={
            "solid": State(phrase="an ice cube", look={"melt": 0.0}),
            "melted": State(phrase="a melted ice cube", look={"melt": 1.0}),
        },
    ),
    Kind(
        name="campfire",
        draw=_draw_campfire,
        colours=("brown",),
        states={
            "unlit": State(phrase="an unlit campfire", look={"fire": 0.0, "ash": 0.0}),
            "burning": State(phrase="a burning campfire", look={"fire": 1.0, "ash": 0.0}),
            "ash": State(phrase="a burnt-out campfire", look={"fire": 0.0, "ash": 1.0}),
        },
    ),
)
