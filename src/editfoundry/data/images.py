"""Reads any photograph a person has: decoded in full, upright, 8-bit RGB, or refused with one clear line."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from editfoundry.data.colour import to_srgb
from editfoundry.errors import BadInputError, one_line

IMAGE_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
"""Multi-picture JPEGs, as phones write them, count as JPEG."""
MAX_IMAGE_PIXELS = 64_000_000
"""64 megapixels."""
MAX_FILE_BYTES = 512 * 2**20
MAX_SCANS = 24
"""Scans of a progressive JPEG that are decoded whatever its size."""
_MAX_SCANNED_PIXELS = 200_000_000
"""Pixels times scans, decoded in about two seconds."""
_JPEG_START_OF_SCAN = b"\xff\xda"
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
DECODER_ERRORS: tuple[type[BaseException], ...] = (
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
    RecursionError,
    Image.DecompressionBombError,
)
"""What Pillow raises for a damaged file, depending on where the damage is."""


def open_image(source: Path | bytes, name: str = "") -> Image.Image:
    """Decode an image file in full to upright 8-bit RGB.

    EXIF orientation is applied, colours of an ICC profile are turned into sRGB, transparency is laid on white, deeper
    samples than 8 bits are scaled, and of an animation or a multi-page file the first frame is taken. The result
    carries no metadata of the file.

    Args:
        source: A path, or the file's bytes.
        name: What to call the image in errors; default the path.

    Returns:
        Mode ``RGB``, (W, H) upright, values 0 to 255, sRGB.

    Raises:
        BadInputError: missing, truncated or damaged file, no regular file, a format outside ``IMAGE_FORMATS``, or more
            than 64 megapixels or a JPEG of very many scans, both of which are found before any pixel is decoded.
    """
    return _decoded(source, name, _to_rgb)


def open_layer(source: Path | bytes, name: str = "") -> Image.Image:
    """Decode an image file as `open_image` does, but keep its transparency.

    Returns:
        Mode ``RGBA`` where the file has transparency, else ``RGB``; (W, H) upright, values 0 to 255, sRGB.

    Raises:
        BadInputError: as `open_image`.
    """
    return _decoded(source, name, _to_layer)


def laid_on_white(layer: Image.Image) -> Image.Image:
    """Return RGBA laid on white, as RGB; RGB as it is."""
    if layer.mode != "RGBA":
        return layer
    on_white = Image.new("RGB", layer.size, (255, 255, 255))
    on_white.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
    return on_white


def open_with_transparency(source: Path | bytes, name: str = "") -> Image.Image:
    """Decode an image file as `open_image` does, but keep its transparency, and its colours as they are stored.

    Returns:
        Mode ``RGBA``, (W, H) upright, values 0 to 255; alpha is 255 everywhere where the file has no transparency.

    Raises:
        BadInputError: as `open_image`.
    """
    return _decoded(source, name, _to_rgba)


def _decoded(source: Path | bytes, name: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    name = name or (str(source) if isinstance(source, Path) else "the image")
    data = source if isinstance(source, bytes) else _read(source, name)
    with _opened(data, name) as image:
        _check_size(image, name)
        _check_scans(image, data, name)
        try:
            image.load()
            converted = convert(_upright(image))
        except DECODER_ERRORS as error:
            raise BadInputError(f"{name}: truncated or damaged {image.format} image ({one_line(error)})") from error
    converted.info.clear()
    return converted


def _read(path: Path, name: str) -> bytes:
    # Reading a named pipe or a device may never end.
    if not path.is_file():
        raise BadInputError(f"{name}: {'is no image file' if path.exists() else 'no such image file'}")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInputError(f"{name}: more than {MAX_FILE_BYTES // 2**20} MiB; save it as a smaller file first")
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{name}: cannot be read as an image ({one_line(error)})") from error


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    Image.init()  # Pillow registers WebP and TIFF only then.
    try:
        image = Image.open(BytesIO(data), formats=IMAGE_FORMATS)
    except UnidentifiedImageError as error:
        raise BadInputError(
            f"{name}: damaged, or not an image of a known format ({', '.join(IMAGE_FORMATS)})"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadInputError(f"{name}: more than {MAX_IMAGE_PIXELS // 10**6} megapixels; scale it down first") from error
    except DECODER_ERRORS as error:
        raise BadInputError(f"{name}: cannot be read as an image ({one_line(error)})") from error
    with image:
        yield image


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise BadInputError(
            f"{name}: {image.width} x {image.height} pixels are more than "
            f"{MAX_IMAGE_PIXELS // 10**6} megapixels; scale it down first"
        )


def _check_scans(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse a JPEG whose decoding goes over its pixels very often; cameras and programs write about ten scans."""
    if image.format not in ("JPEG", "MPO"):
        return
    num_scans = data.count(_JPEG_START_OF_SCAN)
    if num_scans > MAX_SCANS and num_scans * image.width * image.height > _MAX_SCANNED_PIXELS:
        raise BadInputError(f"{name}: a JPEG of {num_scans} scans takes too long to decode; save it anew")


def _upright(image: Image.Image) -> Image.Image:
    try:
        # After decoding: Pillow turns TIFF pages upright itself then, and drops their tag.
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return image  # A damaged EXIF block does not make the picture unusable.
    method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    return laid_on_white(_to_layer(image))


def _to_layer(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        return to_srgb(_scaled_to_8_bits(image), profile)
    if not image.has_transparency_data:
        return to_srgb(image, profile)
    rgba = image.convert("RGBA")
    layer = to_srgb(image if image.mode == "LA" else rgba, profile)
    layer.putalpha(rgba.getchannel("A"))
    return layer


def _to_rgba(image: Image.Image) -> Image.Image:
    return (_scaled_to_8_bits(image) if image.mode.startswith(("I", "F")) else image).convert("RGBA")


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
