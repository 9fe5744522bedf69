"""The named colours of tinyworld and the arithmetic its drawings need."""

from __future__ import annotations

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (216, 44, 40),
    "orange": (240, 134, 28),
    "yellow": (246, 208, 52),
    "green": (62, 158, 62),
    "blue": (44, 98, 206),
    "purple": (138, 64, 176),
    "pink": (244, 142, 180),
    "brown": (132, 84, 48),
    "white": (244, 244, 240),
    "grey": (140, 142, 148),
    "black": (44, 44, 50),
}


def shade(colour: RGB, factor: float) -> RGB:
    """Darken (``factor`` < 1) or lighten towards white (``factor`` > 1, at most 2)."""
    if factor <= 1:
        return tuple(round(c * factor) for c in colour)  # type: ignore[return-value]
    return mix(colour, (255, 255, 255), factor - 1)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Blend two colours; ``share`` in [0, 1] is how much of ``second`` there is."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]
