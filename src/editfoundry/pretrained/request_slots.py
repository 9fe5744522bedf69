"""How many requests an endpoint has under way at once, of all shards and processes of a user together.

Each request holds the lock of a small file in the machine's temporary folder. The system takes it back from a process
that ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.05
"""Between two looks for a free slot."""


@dataclass(frozen=True)
class RequestSlots:
    """A number of slots; a request waits until one is free."""

    prefix: str
    """Path of the slots' files without their numbers."""
    count: int

    @classmethod
    def of_endpoint(cls, key: str, count: int) -> RequestSlots:
        """Return the slots of an endpoint's model, which ``key`` is a hash of."""
        return cls(str(Path(tempfile.gettempdir()) / f"editfoundry-{os.getuid()}-{key}.slot"), count)

    @contextmanager
    def held(self, stop: threading.Event) -> Iterator[None]:
        """Hold a slot inside the ``with`` block; without one, once ``stop`` is set."""
        descriptor = self._free()
        while descriptor is None and not stop.wait(_LOOK_SECONDS):
            descriptor = self._free()
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _free(self) -> int | None:
        """Return the open file of a slot that was free and is locked now; None where all are taken."""
        for number in range(self.count):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(f"{self.prefix}{number}", flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                continue
            return descriptor
        return None
