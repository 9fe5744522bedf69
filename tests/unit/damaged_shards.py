"""Shards whose bytes change after their index was written."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from editfoundry.data.index import read_index
from editfoundry.data.png import decode_png, encode_png


def overwrite_picture(tar: Path, role: str = "output") -> None:
    """Put other pixels into a whole PNG of the same length in the place of a shard's first picture of that role."""
    row = next(row for row in read_index(tar).to_pylist() if row[f"{role}_offset"] is not None)
    offset, length = row[f"{role}_offset"], row[f"{role}_length"]
    data = bytearray(tar.read_bytes())
    picture = decode_png(bytes(data[offset : offset + length]), "L" if role == "mask" else "RGB", str(tar))
    data[offset : offset + length] = _png_of_length(ImageOps.invert(picture), length)
    tar.write_bytes(bytes(data))


def _png_of_length(picture: Image.Image, length: int) -> bytes:
    data = encode_png(picture, picture.mode)
    if len(data) > length:
        data = encode_png(Image.new(picture.mode, picture.size, "red"), picture.mode)
    # What follows a PNG's last chunk is not read.
    return data + bytes(length - len(data))
