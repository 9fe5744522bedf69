"""A file that is read by byte range from somewhere else, with as few requests as the reader allows."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class RangedFile(io.RawIOBase):
    """A seekable file of bytes; nothing is asked for before the first read."""

    def __init__(self, read_range: Callable[[int, int], bytes], size: Callable[[], int], read_ahead: int) -> None:
        """Read by ``read_range(offset, length)``, at least ``read_ahead`` bytes a request; ``size()`` in bytes."""
        self._read_range = read_range
        self._size = size
        self._read_ahead = read_ahead
        self._position = 0
        self._held_from, self._held = 0, b""

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset`` bytes from the start, from here, or from the end."""
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += self._size()
        self._position = offset
        return offset

    def read(self, size: int | None = -1) -> bytes:
        """Return ``size`` bytes, fewer only at the end; without a size, all that is left."""
        if size is None or size < 0:
            size = max(0, self._size() - self._position)
        begin = self._position - self._held_from
        if not 0 <= begin <= len(self._held) - size:
            self._held_from, begin = self._position, 0
            self._held = self._read_range(self._position, max(size, self._read_ahead))
        data = self._held[begin : begin + size]
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as there is something left, and return the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
