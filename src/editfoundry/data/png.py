"""PNG bytes that depend on nothing but the pixels."""

from __future__ import annotations

import io

from PIL import Image

from editfoundry.data.images import DECODER_ERRORS, MAX_IMAGE_PIXELS
from editfoundry.errors import BadInputError


def encode_png(image: Image.Image, mode: str = "RGB") -> bytes:
    """Return the PNG of an image in ``mode``, without profile, text, time or any other metadata."""
    plain = image.convert(mode)
    plain.info = {}
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def decode_png(data: bytes, mode: str, where: str) -> Image.Image:
    """Return the picture, decoded in full, in ``mode``.

    Raises:
        BadInputError: not a PNG, cut short, or more than 64 megapixels; the message starts with ``where``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.width * image.height > MAX_IMAGE_PIXELS:
                raise BadInputError(f"{where}: {image.width} x {image.height} is more than 64 megapixels")
            return image.convert(mode)
    except DECODER_ERRORS as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{where}: not a whole PNG ({error}); make the shard again") from error
