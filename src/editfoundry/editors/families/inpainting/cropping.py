"""The part of a picture that is painted: the mask's surroundings, at the picture's own resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.holes import HOLE_FROM
from editfoundry.errors import Rejection

Box = tuple[int, int, int, int]
"""``(x0, y0, x1, y1)`` in pixels, upper ends exclusive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskedCrop:
    """A request's surroundings of its mask, and how the painted crop comes back into the picture."""

    whole: EditRequest
    box: Box

    @property
    def request(self) -> EditRequest:
        """The request for the crop alone: picture and mask of the box."""
        picture, mask = self.whole.image.convert("RGB").crop(self.box), _mask_of(self.whole).crop(self.box)
        return replace(self.whole, image=picture, mask=mask)

    def paste(self, painted: Image.Image) -> Image.Image:
        """Return the whole picture, RGB: the painted crop where the mask is white, the input's own pixels where it is
        black, and both by their shares where it is grey.

        Args:
            painted: RGB, the box's size.
        """
        picture = self.whole.image.convert("RGB").copy()
        picture.paste(painted, self.box[:2], _mask_of(self.whole).crop(self.box))
        return picture


def masked_crop(request: EditRequest, context: float, least: int) -> MaskedCrop:
    """Return a square around the mask, moved into the picture and cut to it where it does not fit.

    Args:
        request: with a mask of the picture's size.
        context: width of the surroundings on each side, as a share of the mask's box's longer side.
        least: side in pixels; a smaller square would only be blown up.

    Raises:
        Rejection: ``empty-mask``, where nothing is white enough to be painted.
    """
    hole = _mask_of(request).point(lambda grey: 255 * (grey >= HOLE_FROM)).getbbox()
    if hole is None:
        raise Rejection("empty-mask", "the mask is white nowhere: make it white where to paint")
    soft = _mask_of(request).getbbox() or hole
    longer = max(soft[2] - soft[0], soft[3] - soft[1])
    width, height = request.image.size
    side = max(least, round(min(longer * (1 + 2 * context), max(width, height))))
    left, right = _span(soft[0], soft[2], side, width)
    upper, lower = _span(soft[1], soft[3], side, height)
    return MaskedCrop(whole=request, box=(left, upper, right, lower))


def _span(start: int, end: int, side: int, limit: int) -> tuple[int, int]:
    """Return ``side`` pixels around the middle of ``start`` and ``end``, within 0 and ``limit``."""
    length = min(side, limit)
    first = min(max((start + end - length) // 2, 0), limit - length)
    return first, first + length


def _mask_of(request: EditRequest) -> Image.Image:
    if request.mask is None:
        raise ValueError(f"{request.id}: has no mask")
    return request.mask.convert("L")
