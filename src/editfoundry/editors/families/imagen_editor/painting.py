"""Paints requests of any size: the cascade works at its own on a square around each mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editfoundry.editors.editor import EditRequest
from editfoundry.editors.families.imagen_editor.options import ImagenEditorOptions
from editfoundry.editors.families.imagen_editor.pipeline import ImagenEditorPipeline
from editfoundry.editors.families.imagen_editor.sampling import paint_holes
from editfoundry.editors.families.inpainting.cropping import masked_crop
from editfoundry.editors.holes import hole_at_size
from editfoundry.errors import Rejection


def paint_requests(
    pipeline: ImagenEditorPipeline, options: ImagenEditorOptions, requests: Sequence[EditRequest]
) -> list[Image.Image]:
    """Return one RGB picture a request, of its size; outside their masks the pictures keep their pixels.

    Args:
        pipeline: the cascade.
        options: of the sampling.
        requests: each with a mask of its picture's size, white where to paint.

    Raises:
        Rejection: a mask is white nowhere, or what is painted is not all finite.
    """
    crops = [masked_crop(request, options.context, pipeline.side) for request in requests]
    squares = [_square(crop.request, pipeline.side) for crop in crops]
    device = pipeline.unet.device
    painted = paint_holes(
        pipeline,
        [request.instruction for request in requests],
        torch.stack([_pixels(picture) for picture, _ in squares]).to(device),
        torch.stack([_marks(hole) for _, hole in squares]).to(device),
        [request.seed for request in requests],
        options,
    )
    if not bool(painted.isfinite().all()):
        raise Rejection("not-finite", "the editor's pixels are not finite")
    pictures = [Image.fromarray(pixels) for pixels in _to_bytes(painted)]
    return [crop.paste(_cut(picture, crop.request.image.size)) for crop, picture in zip(crops, pictures, strict=True)]


def _square(request: EditRequest, side: int) -> tuple[Image.Image, Image.Image]:
    """Return picture and hole at ``side`` pixels; of what is no square the border's pixels go on, outside the hole."""
    assert request.mask is not None
    pixels, mask = np.asarray(request.image.convert("RGB")), np.asarray(request.mask.convert("L"))
    height, width = mask.shape
    longer = max(height, width)
    more = ((0, longer - height), (0, longer - width))
    picture = Image.fromarray(np.pad(pixels, (*more, (0, 0)), mode="edge"))
    size = (side, side)
    return picture.resize(size, Image.Resampling.LANCZOS), hole_at_size(Image.fromarray(np.pad(mask, more)), size)


def _cut(square: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the part of a painted square that the request showed, at the request's (width, height) in pixels."""
    longer = max(size)
    return square.resize((longer, longer), Image.Resampling.LANCZOS).crop((0, 0, *size))


def _pixels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1


def _marks(hole: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(hole) > 0)[None]


def _to_bytes(painted: Tensor) -> np.ndarray:
    return ((painted + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
