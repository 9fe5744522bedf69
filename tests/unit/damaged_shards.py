"""Shards whose bytes change after their index was written."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from editfoundry.data.index import read_index
from editfoundry.data.png import decode_png, encode_png


def overwrite_picture(tar: Path, role: str = "output") -> None:
    """Put other pixels into a whole PNG of the same length in the place of a shard's first picture."""
    row = read_index(tar).to_pylist()[0]
    offset, length = row[f"{role}_offset"], row[f"{role}_length"]
    data = bytearray(tar.read_bytes())
    picture = decode_png(bytes(data[offset : offset + length]), "RGB", str(tar))
    data[offset : offset + length] = _png_of_length(ImageOps.invert(picture), length)
    tar.write_bytes(bytes(data))


def _png_of_length(picture: Image.Image, length: int) -> bytes:
    data = encode_png(picture)
    if len(data) > length:
        data = encode_png(Image.new("RGB", picture.size, "red"))
    # What follows a PNG's last chunk is not read.
    return data + bytes(length - len(data))
