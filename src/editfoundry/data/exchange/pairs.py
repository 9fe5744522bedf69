"""Checks of one pair of images from a folder that others filled: each failure is a recorded rejection."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from editfoundry.data.images import open_image
from editfoundry.errors import BadInputError, Rejection

MISSING_IMAGE = "missing image"
UNREADABLE_IMAGE = "unreadable image"
IDENTICAL_PAIR = "identical pair"
SIZE_MISMATCH = "size mismatch"
SWAPPED_PAIR = "swapped pair"
NO_INSTRUCTION = "no instruction"
PATH_LEAVES_FOLDER = "path leaves folder"
_MAX_PATH, _MAX_PART = 4096, 255
"""Longest path and part of a path, in bytes, that file systems take."""


def resolve_inside(folder: Path, name: str) -> Path:
    """Return the path ``name`` has in ``folder``.

    Raises:
        Rejection: ``path leaves folder`` by ``..``, an absolute path or a link; ``missing image`` for no name.
    """
    check_name(name)
    path = folder / name.replace("\\", "/")
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise Rejection(MISSING_IMAGE, f"{name[:200]}: {error}") from error
    if not is_inside:
        raise Rejection(PATH_LEAVES_FOLDER, name)
    return path


def check_name(name: str) -> None:
    """Raise Rejection ``missing image`` for a name that no file can have."""
    if not name or "\0" in name:
        raise Rejection(MISSING_IMAGE, "no path given")
    if len(name) > _MAX_PATH or any(len(part.encode()) > _MAX_PART for part in name.replace("\\", "/").split("/")):
        raise Rejection(MISSING_IMAGE, f"{name[:80]}...: longer than a file's name can be")


def read_pair(input_path: Path, output_path: Path) -> tuple[Image.Image, Image.Image]:
    """Return input and output image (RGB, one size, not equal) of two files.

    Raises:
        Rejection: a file is missing or unreadable, or the two are no pair.
    """
    for path in (input_path, output_path):
        if not path.is_file():
            raise Rejection(MISSING_IMAGE, path.name)
    if input_path.resolve() == output_path.resolve():
        raise Rejection(IDENTICAL_PAIR, f"{input_path.name} is both input and output")
    return checked_pair(read_image(input_path, input_path.name), read_image(output_path, output_path.name))


def read_image(source: Path | bytes, name: str) -> Image.Image:
    """Return the RGB image of a file or of its bytes; a broken one is the rejection ``unreadable image``."""
    try:
        return open_image(source, name)
    except BadInputError as error:
        raise Rejection(UNREADABLE_IMAGE, str(error)) from error


def read_mask(path: Path, size: tuple[int, int]) -> Image.Image:
    """Return a mask (mode ``L``, 255 where the edit was allowed) of the pair's size, width and height in pixels."""
    if not path.is_file():
        raise Rejection(MISSING_IMAGE, path.name)
    return checked_mask(read_image(path, path.name), size)


def checked_pair(input_image: Image.Image, output_image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return both images, RGB, after checking that they are of one size and differ."""
    if input_image.size != output_image.size:
        sizes = ["{} x {}".format(*image.size) for image in (input_image, output_image)]
        raise Rejection(SIZE_MISMATCH, " and ".join(sizes))
    if input_image.tobytes() == output_image.tobytes():
        raise Rejection(IDENTICAL_PAIR, "the output equals the input in every pixel")
    return input_image, output_image


def checked_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a mask in mode ``L`` after checking its size, width and height in pixels."""
    if mask.size != size:
        raise Rejection(SIZE_MISMATCH, f"mask {mask.width} x {mask.height}, images {size[0]} x {size[1]}")
    return mask.convert("L")


def checked_instruction(value: object) -> str:
    """Return the instruction without surrounding space; none is the rejection ``no instruction``."""
    if not isinstance(value, str) or not value.strip():
        raise Rejection(NO_INSTRUCTION, "empty or absent")
    return value.strip()
