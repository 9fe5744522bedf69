"""Lets glibc keep the memory that tensors free.

By default it gives large pieces back to the system at once and takes them anew for the next tensor, which on some
machines costs more than the arithmetic.
"""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's ``mallopt``."""
_MMAP_THRESHOLD = 2**25
"""Bytes; the most that glibc takes."""
_TRIM_THRESHOLD = 2**31 - 1
"""Bytes; the most that ``mallopt`` takes."""
VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, _MMAP_THRESHOLD),
    "MALLOC_TRIM_THRESHOLD_": (_M_TRIM_THRESHOLD, _TRIM_THRESHOLD),
}


def keep_freed_memory() -> None:
    """Set this process's thresholds and, in the environment, those of the processes that it starts.

    What the environment says already stays. Without glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for name, (parameter, value) in VARIABLES.items():
        if name not in os.environ:
            os.environ[name] = str(value)
            mallopt(parameter, value)
