"""How the pairs of each task are made (Emu Edit, section 7); light to import.

Where the paper's words leave room, docs/emu-edit-pairs.md says how they are read here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from editfoundry.data.bounds import check_at_least, check_between, check_each_once
from editfoundry.errors import BadInputError

MASK_KINDS = ("precise", "dilated", "box")
"""The paper's three: the outline; the outline grown and blurred; the box around it."""
Span = tuple[float, float]
"""Lowest and highest value; each draw has one of its own between them."""


def check_settings(settings: object) -> None:
    """Raise BadInputError where a dataclass of settings has no draw, or a span that is none or leaves its bounds.

    A guidance scale is at least 0; the other spans are of shares, in [0, 1].
    """
    for field in fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, field.name)
        if isinstance(value, tuple):
            _check_span(field.name, value, math.inf if field.name == "guidance_scale" else 1.0)
    check_at_least(settings, 1, "num_draws")


def _check_span(name: str, span: tuple[object, ...], highest: float) -> None:
    numbers = [value for value in span if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(span) != 2 or len(numbers) != 2 or not numbers[0] <= numbers[1]:
        raise BadInputError(f"{name} is {list(span)}; it must be a lowest and a highest value")
    if not (0 <= numbers[0] and numbers[1] <= highest) or math.isinf(numbers[1]):
        bounds = "numbers of at least 0" if math.isinf(highest) else f"shares, from 0 to {highest:g}"
        raise BadInputError(f"{name} is {list(span)}; it must be {bounds}")


@dataclass(frozen=True, kw_only=True)
class RegionSettings:
    """The tasks ``local`` and ``texture``: attention control within a mask."""

    num_draws: int = 10
    """First pictures painted of each edit, each from its own noise; each gets a candidate a mask."""
    guidance_scale: Span = (4.0, 8.0)
    """Weight of the output caption."""
    shares: Span = (0.3, 0.9)
    """Share of the steps, from the first on, in which cross-attention is shared; and, drawn apart, self-attention."""
    blending: Span = (0.02, 0.2)
    """Share of the steps after which the picture outside the mask begins to be held."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class GlobalSettings:
    """The task ``global``: attention control with a blank mask."""

    num_draws: int = 10
    guidance_scale: Span = (4.0, 8.0)
    shares: Span = (0.4, 0.9)
    """As `RegionSettings.shares`."""
    blending: Span = (0.1, 0.2)
    """Share of the steps, from the first on, in which the whole picture is held."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class StyleSettings:
    """The task ``style``: plug-and-play (Tumanyan et al. 2023) from the picture's DDIM inversion."""

    num_draws: int = 10
    guidance_scale: Span = (6.5, 10.0)
    shares: Span = (0.5, 1.0)
    """Share of the steps in which the decoder's self-attention is shared."""
    feature_share: float = 0.8
    """Share of the steps in which the decoder's spatial features are shared."""

    def __post_init__(self) -> None:
        check_settings(self)
        check_between(self, 0, 1, "feature_share")


@dataclass(frozen=True, kw_only=True)
class InpaintingSettings:
    """The tasks ``remove``, ``add`` and ``background``: inpainting of a mask."""

    num_draws: int = 10
    guidance_scale: Span = (4.0, 8.0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class MaskSettings:
    """How masks are made of an outline; lengths are shares of the picture's shorter side."""

    kinds: tuple[str, ...] = MASK_KINDS
    """Masks of a thing, each of which makes a candidate."""
    dilation: float = 0.06
    """By so much the second mask reaches beyond the outline."""
    blur: float = 0.03
    """Standard deviation of the Gaussian over it."""
    margin: float = 0.05
    """By so much a background's mask keeps away from the things."""
    min_fit: float = 0.5
    """Least IoU of an outline's box with the detector's; below it the outline is not that of the thing."""
    detector_threshold: float = 0.3
    """Least score of a find."""

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in MASK_KINDS]
        if unknown or not self.kinds:
            raise BadInputError(f"kinds: {unknown[0] if unknown else 'none'!r}; use some of {', '.join(MASK_KINDS)}")
        check_each_once("kinds", self.kinds)
        check_between(self, 0, 1, "dilation", "blur", "margin", "min_fit", "detector_threshold")
