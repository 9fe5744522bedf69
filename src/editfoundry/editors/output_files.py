"""Where edits are written: checked before they are made, so that no finished edit is lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from editfoundry.data.atomic import atomic_file
from editfoundry.errors import BadInputError, one_line

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Suffix -> Pillow's name."""
_WITH_TRANSPARENCY = ("PNG", "WEBP")


def keeps_transparency(out: Path) -> bool:
    """Whether a picture file can be transparent, by its suffix, which is one of `FORMATS`."""
    return FORMATS[out.suffix.lower()] in _WITH_TRANSPARENCY


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse files that cannot be written, or that would take the place of an input or of each other.

    Args:
        outputs: all files that will be written.
        inputs: files that are read, and must stay.

    Raises:
        BadInputError: one of them is in the way, or no file can be there.
    """
    read = {path.resolve(): path for path in inputs}
    written: set[Path] = set()
    for path in outputs:
        own = _checked_place(path)
        if own in read:
            raise BadInputError(f"{path}: would be written over, but it is an input ({read[own]}): name another output")
        if own in written:
            raise BadInputError(f"{path}: would be written twice: name another output")
        written.add(own)


def check_picture_outputs(outputs: Sequence[Path], *inputs: Path | None) -> None:
    """Refuse what cannot be written once the edit is made, or would take an input's place.

    Args:
        outputs: all files that will be written, the edited picture first.
        inputs: files that are read; those that are None are not looked at.

    Raises:
        BadInputError: the picture's suffix is none of `FORMATS`, or as `check_outputs`.
    """
    out = outputs[0]
    if out.suffix.lower() not in FORMATS:
        raise BadInputError(f"{out}: cannot write {out.suffix or 'a file without a suffix'}: use {', '.join(FORMATS)}")
    check_outputs(outputs, [path for path in inputs if path is not None])


def save_picture(picture: Image.Image, out: Path) -> None:
    """Write a picture in the format of its suffix, in full or not at all.

    Raises:
        BadInputError: it cannot be written.
    """
    try:
        with atomic_file(out) as file:
            picture.save(file, FORMATS[out.suffix.lower()])
    except (OSError, ValueError) as error:
        raise BadInputError(f"{out}: cannot be written: {one_line(error)}") from error


def _checked_place(path: Path) -> Path:
    """Return where a file lies; BadInputError where none can be written."""
    try:
        if path.is_dir():
            raise BadInputError(f"{path}: cannot be written: it is a folder")
        nearest = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
        if not nearest.is_dir():
            raise BadInputError(f"{path}: cannot be written: {nearest} is no folder")
        # A file of the longest name that is written, since nothing else tells whether the file system takes it.
        probe = nearest / f".{path.name}.{os.getpid()}.partial"
        probe.touch()
        probe.unlink()
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise BadInputError(f"{path}: cannot be written: {one_line(error)}") from error
