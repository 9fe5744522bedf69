"""Arrays in files, for which there is room from the start."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def new_array(path: Path, shape: tuple[int, ...], dtype: type = np.float32) -> np.memmap:
    """Create a ``.npy`` file and return it as a writable memory map.

    Raises:
        OSError: the disk has no room for it. Without asking beforehand, a full disk would kill the process when the
            array is filled.
    """
    array: np.memmap = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
