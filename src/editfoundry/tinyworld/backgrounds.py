"""The places of tinyworld, at every time of day and in every season they know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from editfoundry.tinyworld.colours import RGB, mix, shade
from editfoundry.tinyworld.pen import SUPERSAMPLING, Pen

TIMES = ("day", "sunset", "night")
SEASONS = ("summer", "autumn", "winter")
HORIZON = 0.40
"""Height of the horizon above the lower edge, as a share of the image."""

_SKY: dict[str, tuple[RGB, RGB]] = {
    "day": ((98, 172, 238), (196, 228, 250)),
    "sunset": ((112, 74, 142), (252, 168, 92)),
    "night": ((14, 20, 52), (46, 58, 108)),
}
_LIGHT = {"day": ((255, 255, 255), 0.0), "sunset": ((196, 96, 60), 0.28), "night": ((16, 22, 60), 0.58)}
_GRASS = {"summer": (106, 176, 80), "autumn": (186, 150, 72), "winter": (232, 238, 246)}
_LEAVES = {"summer": (52, 122, 60), "autumn": (206, 112, 40), "winter": (206, 218, 230)}


@dataclass(frozen=True)
class Background:
    """Where and when a scene is set."""

    place: str
    time: str = "day"
    season: str = "summer"

    def __post_init__(self) -> None:
        if self.place not in PLACES or self.time not in TIMES or self.season not in seasons_of(self.place):
            raise ValueError(f"no such background: {self.season} {self.place} at {self.time}")

    @property
    def phrase(self) -> str:
        """How a caption says it, for example ``"in a winter forest at night"``."""
        noun = self.place if self.season == "summer" else f"{self.season} {self.place}"
        article = "an" if noun[0] in "aeiou" else "a"
        preposition = "on" if self.place in ("beach", "street") else "in"
        time = {"day": "", "sunset": " at sunset", "night": " at night"}[self.time]
        return f"{preposition} {article} {noun}{time}"


def seasons_of(place: str) -> tuple[str, ...]:
    """Return the seasons that show in ``place``; elsewhere it is always summer."""
    return SEASONS if place in ("meadow", "forest", "street") else ("summer",)


@lru_cache(maxsize=64)
def paint_background(background: Background, size: int) -> Image.Image:
    """Return the empty background as an RGBA image ``SUPERSAMPLING`` times ``size`` pixels wide and high."""
    side = size * SUPERSAMPLING
    canvas = Image.new("RGBA", (side, side)) if is_indoors(background) else paint_sky(background, side)
    PLACES[background.place](Pen(canvas, (side / 2, side * (1 - HORIZON)), side), background)
    return canvas


def is_indoors(background: Background) -> bool:
    """Whether the place is a room: it has a wall instead of a sky, and no weather."""
    return background.place in _INDOORS


def paint_sky(background: Background, side: int) -> Image.Image:
    """Return the sky alone with its sun, moon or stars, RGBA, ``side`` pixels wide and high."""
    top, bottom = (np.array(c, dtype=float) for c in _SKY[background.time])
    share = np.clip(np.linspace(0, 1 / (1 - HORIZON), side), 0, 1)[:, None]
    rows = top + (bottom - top) * share
    pixels = np.full((side, side, 4), 255, dtype=np.uint8)
    pixels[..., :3] = rows[:, None, :].round().astype(np.uint8)
    canvas = Image.fromarray(pixels)
    pen = Pen(canvas, (side / 2, side * (1 - HORIZON)), side)
    if background.time == "night":
        pen.ellipse(0.34, 0.46, 0.06, 0.06, (244, 240, 210), outline=False)
        for x, y in ((-0.4, 0.5), (-0.22, 0.36), (-0.08, 0.52), (0.12, 0.4), (-0.44, 0.24)):
            pen.ellipse(x, y, 0.011, 0.011, (250, 250, 230), outline=False)
    elif background.time == "sunset":
        pen.ellipse(0.28, 0.05, 0.11, 0.11, (255, 226, 130), outline=False)
    else:
        pen.ellipse(-0.34, 0.47, 0.075, 0.075, (255, 232, 96), outline=False)
    return canvas


def _lit(colour: RGB, background: Background) -> RGB:
    tint, share = _LIGHT[background.time]
    return mix(colour, tint, share)


def _ground(pen: Pen, background: Background, colour: RGB) -> None:
    pen.rectangle(-0.5, -HORIZON, 0.5, 0, _lit(colour, background), outline=False)
    pen.rectangle(-0.5, -HORIZON, 0.5, -0.24, _lit(shade(colour, 0.92), background), outline=False)


def _meadow(pen: Pen, background: Background) -> None:
    grass = _GRASS[background.season]
    pen.ellipse(-0.28, -0.02, 0.34, 0.16, _lit(shade(grass, 0.84), background), outline=False)
    pen.ellipse(0.34, -0.03, 0.36, 0.12, _lit(shade(grass, 0.76), background), outline=False)
    _ground(pen, background, grass)


def _forest(pen: Pen, background: Background) -> None:
    leaves = _LEAVES[background.season]
    for x, height in ((-0.45, 0.44), (-0.27, 0.36), (-0.09, 0.42), (0.1, 0.36), (0.28, 0.44), (0.46, 0.38)):
        pen.rectangle(x - 0.02, -0.02, x + 0.02, 0.14, _lit((92, 62, 40), background), outline=False)
        pen.polygon([(x - 0.12, 0.08), (x + 0.12, 0.08), (x, height)], _lit(leaves, background), outline=False)
    _ground(
        pen, background, mix(_GRASS[background.season], (92, 84, 50), 0.0 if background.season == "winter" else 0.45)
    )


def _beach(pen: Pen, background: Background) -> None:
    pen.rectangle(-0.5, -0.06, 0.5, 0.12, _lit((38, 128, 196), background), outline=False)
    pen.rectangle(-0.5, -0.09, 0.5, -0.05, _lit((240, 248, 250), background), outline=False)
    pen.rectangle(-0.5, -HORIZON, 0.5, -0.08, _lit((236, 212, 150), background), outline=False)


def _desert(pen: Pen, background: Background) -> None:
    pen.ellipse(-0.2, -0.04, 0.4, 0.13, _lit((206, 150, 84), background), outline=False)
    _ground(pen, background, (226, 172, 98))
    green = _lit((58, 130, 70), background)
    pen.stroke([(0.38, -0.06), (0.38, 0.22)], green, 0.05)
    pen.stroke([(0.29, 0.14), (0.29, 0.06), (0.38, 0.05)], green, 0.04)


def _street(pen: Pen, background: Background) -> None:
    lit_window: RGB = (255, 222, 110) if background.time == "night" else _lit((190, 216, 236), background)
    walls: tuple[tuple[float, float, float, RGB], ...] = (
        (-0.5, -0.24, 0.34, (176, 106, 90)), (-0.24, 0.06, 0.46, (150, 150, 164)), (0.06, 0.3, 0.3, (206, 178, 132)),
        (0.3, 0.5, 0.42, (128, 136, 160)),
    )  # fmt: skip
    for left, right, height, colour in walls:
        pen.rectangle(left, 0, right, height, _lit(colour, background), outline=False)
        if background.season == "winter":
            pen.rectangle(left, height, right, height + 0.035, _lit((246, 248, 252), background), outline=False)
        for y in (0.12, 0.24):
            for x in ((left * 2 + right) / 3, (left + right * 2) / 3):
                pen.rectangle(x - 0.025, y - 0.03, x + 0.025, y + 0.03, lit_window, outline=False)
    pavement = {"summer": (126, 126, 132), "autumn": (158, 122, 84), "winter": (222, 228, 236)}[background.season]
    _ground(pen, background, pavement)


def _kitchen(pen: Pen, background: Background) -> None:
    pen.rectangle(-0.5, 0, 0.5, 1 - HORIZON, _lit((244, 236, 206), background), outline=False)
    for row in range(3):
        for column in range(6):
            if (row + column) % 2:
                x, y = -0.5 + column / 6, row * 0.13
                pen.rectangle(x, y, x + 1 / 6, y + 0.13, _lit((166, 206, 204), background), outline=False)
    _window(pen, background)
    pen.rectangle(-0.5, -HORIZON, 0.5, 0, _lit((166, 116, 74), background), outline=False)
    pen.rectangle(-0.5, -0.04, 0.5, 0, _lit((210, 164, 116), background), outline=False)


def _living_room(pen: Pen, background: Background) -> None:
    pen.rectangle(-0.5, 0, 0.5, 1 - HORIZON, _lit((190, 164, 204), background), outline=False)
    for column in range(5):
        x = -0.48 + column * 0.21
        pen.rectangle(x, 0, x + 0.08, 1 - HORIZON, _lit((206, 184, 216), background), outline=False)
    _window(pen, background)
    pen.rectangle(-0.5, -HORIZON, 0.5, 0, _lit((118, 86, 74), background), outline=False)
    pen.ellipse(0, -0.26, 0.46, 0.11, _lit((176, 62, 70), background), outline=False)


def _window(pen: Pen, background: Background) -> None:
    pen.rectangle(0.1, 0.3, 0.42, 0.54, _lit((250, 250, 250), background), outline=False)
    pen.rectangle(0.13, 0.33, 0.39, 0.51, mix(*_SKY[background.time], 0.5), outline=False)
    pen.rectangle(0.25, 0.33, 0.27, 0.51, _lit((250, 250, 250), background), outline=False)


PLACES: dict[str, Callable[[Pen, Background], None]] = {
    "meadow": _meadow, "forest": _forest, "beach": _beach, "desert": _desert, "street": _street, "kitchen": _kitchen,
    "living room": _living_room,
}  # fmt: skip
_INDOORS = ("kitchen", "living room")


def all_backgrounds() -> list[Background]:
    """Return every combination of place, time and season."""
    return [Background(p, t, s) for p in PLACES for t in TIMES for s in seasons_of(p)]
