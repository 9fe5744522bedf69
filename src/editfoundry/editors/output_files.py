"""Checks where an edit is to be written before it is made, so that no finished edit is lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from editfoundry.errors import BadInputError, one_line


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
