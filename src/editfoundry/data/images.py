"""Reads any photograph a person has: decoded in full, upright, 8-bit RGB, or refused with one clear line."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from editfoundry.errors import BadInputError

IMAGE_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
"""Multi-picture JPEGs, as phones write them, count as JPEG."""
MAX_IMAGE_PIXELS = 64_000_000
"""64 megapixels."""

_ORIENTATION_TAG = 0x0112
_TIFF_BITS_PER_SAMPLE_TAG = 258
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE_LEVELS = (255, 2**16 - 1, 2**31 - 1, 2**32 - 1)
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


def open_image(source: Path | bytes, name: str = "") -> Image.Image:
    """Decode an image file in full to upright 8-bit RGB.

    EXIF orientation is applied, transparency is laid on white, deeper samples than 8 bits are scaled, and of an
    animation or a multi-page file the first frame is taken. The result carries no metadata of the file.

    Args:
        source: A path, or the file's bytes.
        name: What to call the image in errors; default the path.

    Returns:
        Mode ``RGB``, (W, H) upright, values 0 to 255.

    Raises:
        BadInputError: missing, truncated or damaged file, a format outside ``IMAGE_FORMATS``, or more than
            64 megapixels, which is found before any pixel is decoded.
    """
    name = name or (str(source) if isinstance(source, Path) else "the image")
    with _opened(source, name) as image:
        _check_size(image, name)
        try:
            image.load()
            upright = _upright(image)
            rgb = _to_rgb(upright)
        except _DECODER_ERRORS as error:
            raise BadInputError(f"{name}: truncated or damaged {image.format} image ({_one_line(error)})") from error
    rgb.info.clear()
    return rgb


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    Image.init()  # Pillow registers WebP and TIFF only then.
    try:
        image = Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=IMAGE_FORMATS)
    except FileNotFoundError as error:
        raise BadInputError(f"{name}: no such image file") from error
    except UnidentifiedImageError as error:
        raise BadInputError(
            f"{name}: damaged, or not an image of a known format ({', '.join(IMAGE_FORMATS)})"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInputError(f"{name}: more than {MAX_IMAGE_PIXELS // 10**6} megapixels; scale it down first") from error
    except _DECODER_ERRORS as error:
        raise BadInputError(f"{name}: cannot be read as an image ({_one_line(error)})") from error
    with image:
        yield image


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise BadInputError(
            f"{name}: {image.width} x {image.height} pixels are more than "
            f"{MAX_IMAGE_PIXELS // 10**6} megapixels; scale it down first"
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        # After decoding: Pillow turns TIFF pages upright itself then, and drops their tag.
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_ERRORS:
        return image  # A damaged EXIF block does not make the picture unusable.
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _scaled_to_8_bits(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    on_white = Image.new("RGB", image.size, (255, 255, 255))
    on_white.paste(rgba, mask=rgba.getchannel("A"))
    return on_white


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey samples of 12, 16 or 32 bits, or floats, to mode ``L``; Pillow's own conversion would clip them."""
    samples = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0)
    scaled = samples * np.float32(255 / _white_level(image, float(samples.max())))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _white_level(image: Image.Image, peak: float) -> float:
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(_TIFF_BITS_PER_SAMPLE_TAG, (16,))[0]
        return float(2**bits - 1)
    if image.mode == "F" and peak <= 1:
        return 1.0
    return next((float(level) for level in _WHITE_LEVELS if peak <= level), peak)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
