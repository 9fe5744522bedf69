"""The masks that an inpainter is trained with: boxes of what the caption names, and random ones (object masking).

Imagen Editor, section 3.2: where a mask covers a thing that the caption names, only the text says what to paint, and
the model learns to read it; a random mask mostly covers what the picture around it tells. The paper leaves open how
often which kind is drawn; here the shares are settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import torch
from torch import Tensor

from editfoundry.errors import BadInputError

NUM_STROKES = 4
"""Straight parts of a brush stroke."""
LEAST_SIDE, MOST_SIDE = 0.15, 0.85
"""Sides of random boxes, as shares of the picture's."""
LEAST_BRUSH, MOST_BRUSH = 0.03, 0.1
"""Half the width of a stroke, as a share of the picture's side."""
MOST_MARGIN = 0.3
"""That an object's box is widened by on each side at most, as a share of its own side: a detector's are not exact, and
people's masks are larger than what they name."""
ALL_NAMED = 0.25
"""How often the boxes of all things that a caption names are masked in the place of one."""
_NUM_DRAWN = 8 + 2 * (NUM_STROKES + 1) + 1 + 4
"""Random numbers of a sample."""


@dataclass(frozen=True, kw_only=True)
class MaskShares:
    """How often each kind of mask is drawn, relative to the sum of all.

    Where a caption names nothing that was found, a random box takes the place of an object's.
    """

    object_box: float = 0.4
    """The box of a thing that the caption names; at times those of all."""
    object_and_random: float = 0.25
    """The union of such a box and a random mask: a box or strokes."""
    random_box: float = 0.15
    strokes: float = 0.1
    full: float = 0.1
    """The whole picture."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise BadInputError(f"share of {field.name} is {getattr(self, field.name)}, but must be at least 0")
        if sum(astuple(self)) <= 0:
            raise BadInputError("the shares of all masks are 0: give at least one kind a share")


OBJECT_MASKS = MaskShares()
RANDOM_MASKS = MaskShares(object_box=0, object_and_random=0, random_box=0.55, strokes=0.35, full=0.1)
"""The paper's baseline: masks that know nothing of the caption."""
MASKINGS = {"object": OBJECT_MASKS, "random": RANDOM_MASKS}


@dataclass(frozen=True)
class MaskDraws:
    """The random numbers of some samples' masks, from which `draw` paints them at any size."""

    shares: MaskShares
    numbers: Tensor
    """``(B, 23)`` float in [0, 1)."""

    def draw(self, boxes: Tensor, height: int, width: int) -> Tensor:
        """Return masks, ``(B, 1, height, width)`` bool, True where to paint, on the device of ``boxes``.

        Args:
            boxes: ``(B, N, 4)`` float: x0, y0, x1, y1 as shares of the picture's sides, of what each caption names;
                rows of zeros for none.
            height: in pixels.
            width: in pixels.
        """
        numbers = self.numbers.to(boxes.device)
        kind = _kinds(self.shares, numbers[:, 0])
        is_object = (kind < 2) & _exist(boxes).any(1)
        ys, xs = _pixel_middles(height, boxes.device), _pixel_middles(width, boxes.device)
        strokes = (kind == 3) | ((kind == 1) & (numbers[:, 1] < 0.5))
        random = torch.where(
            strokes[:, None, None],
            _stroke_masks(numbers[:, 8:19], ys, xs),
            _box_masks(_random_boxes(numbers[:, 4:8]), ys, xs),
        )
        whole = _named_masks(boxes, numbers, ys, xs)
        painted = torch.where(is_object[:, None, None], whole | (random & (kind == 1)[:, None, None]), random)
        return (painted | (kind == 4)[:, None, None])[:, None]


def mask_draws(shares: MaskShares, generator: torch.Generator, size: int, rows: slice = slice(None)) -> MaskDraws:
    """Draw the masks of ``rows`` of a step's ``size`` samples: the same whatever part of the step is asked for.

    Args:
        shares: how often each kind is drawn.
        generator: of the step, on the CPU.
        size: samples of the whole step.
        rows: those that are wanted.
    """
    return MaskDraws(shares, torch.rand((size, _NUM_DRAWN), generator=generator)[rows])


def padded_boxes(boxes: Sequence[Sequence[Sequence[float]]], num: int) -> Tensor:
    """Return ``(B, num, 4)`` float of ragged lists of boxes; those of a picture beyond ``num`` are left out."""
    padded = torch.zeros(len(boxes), num, 4)
    for row, found in enumerate(boxes):
        for place, box in enumerate(found[:num]):
            padded[row, place] = torch.tensor(box)
    return padded


def _kinds(shares: MaskShares, numbers: Tensor) -> Tensor:
    """Return each sample's kind, ``(B,)``, by its place among the shares."""
    bounds = torch.tensor(astuple(shares), device=numbers.device).cumsum(0)
    return torch.searchsorted(bounds, numbers * bounds[-1], right=True).clamp(max=len(bounds) - 1)


def _exist(boxes: Tensor) -> Tensor:
    """Tell which boxes are none of the rows that fill up, ``(B, N)`` bool."""
    return (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])


def _named_masks(boxes: Tensor, numbers: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Return ``(B, H, W)`` bool of one existing box of each sample, or of all, widened by shares of their sides."""
    there = _exist(boxes)
    wanted = (numbers[:, 2] * there.sum(1)).floor()
    is_wanted = there & ((there.cumsum(1) - 1).eq(wanted[:, None]) | (numbers[:, 3] < ALL_NAMED)[:, None])
    sides = torch.cat([boxes[..., 2:] - boxes[..., :2]] * 2, -1)
    outward = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=boxes.device)
    widened = boxes + outward * MOST_MARGIN * numbers[:, None, 19:23] * sides
    masks = torch.zeros(len(boxes), len(ys), len(xs), dtype=torch.bool, device=boxes.device)
    for own, wants in zip(widened.unbind(1), is_wanted.unbind(1), strict=True):
        masks |= _box_masks(own, ys, xs) & wants[:, None, None]
    return masks


def _random_boxes(numbers: Tensor) -> Tensor:
    sides = LEAST_SIDE + (MOST_SIDE - LEAST_SIDE) * numbers[:, :2]
    starts = numbers[:, 2:] * (1 - sides)
    return torch.cat([starts, starts + sides], 1)


def _box_masks(boxes: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Return ``(B, H, W)`` bool of one box each; a pixel belongs to it if its middle does.

    A box that has no pixel's middle covers the pixel that its own middle lies in.
    """
    x0, y0, x1, y1 = boxes.unbind(1)
    return _within(y0, y1, ys)[:, :, None] & _within(x0, x1, xs)[:, None, :]


def _within(starts: Tensor, ends: Tensor, middles: Tensor) -> Tensor:
    """Return ``(B, N)`` bool: which pixels' middles lie in ``(B,)`` ranges, at least one of each range."""
    inside = (middles >= starts[:, None]) & (middles < ends[:, None])
    nearest = ((starts + ends) / 2 * len(middles)).floor().clamp(0, len(middles) - 1)
    own = torch.arange(len(middles), device=middles.device) == nearest[:, None]
    return inside | (own & ~inside.any(1, keepdim=True))


def _stroke_masks(numbers: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Return ``(B, H, W)`` bool: a line through some points, with a round brush."""
    points = numbers[:, :-1].reshape(len(numbers), -1, 2)
    brush = LEAST_BRUSH + (MOST_BRUSH - LEAST_BRUSH) * numbers[:, -1]
    painted = torch.zeros(len(numbers), len(ys), len(xs), dtype=torch.bool, device=numbers.device)
    for start, end in zip(points.unbind(1)[:-1], points.unbind(1)[1:], strict=True):
        painted |= _distances(start, end, ys, xs) < brush[:, None, None] ** 2
    return painted


def _distances(start: Tensor, end: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Return each pixel's squared distance, ``(B, H, W)``, from the lines between ``(B, 2)`` points."""
    along = end - start
    dx, dy = xs[None, None, :] - start[:, 0, None, None], ys[None, :, None] - start[:, 1, None, None]
    ax, ay = along[:, 0, None, None], along[:, 1, None, None]
    share = ((dx * ax + dy * ay) / (ax**2 + ay**2).clamp(min=1e-12)).clamp(0, 1)
    return (dx - share * ax) ** 2 + (dy - share * ay) ** 2


def _pixel_middles(count: int, device: torch.device) -> Tensor:
    return (torch.arange(count, device=device) + 0.5) / count
