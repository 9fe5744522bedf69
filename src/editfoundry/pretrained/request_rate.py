"""A number of requests a minute that all processes of a user keep together, whatever shards they work on.

A small file in the machine's temporary folder says when the next request may be sent; whoever sends one moves it on.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 64
_LONGEST_WAIT_SECONDS = 3600.0
"""A time further ahead was written by a clock that has been set since."""


@dataclass(frozen=True)
class RequestRate:
    """Gives out turns, evenly spread."""

    path: Path
    """The file that all share."""
    per_minute: float

    @classmethod
    def of_endpoint(cls, key: str, per_minute: float) -> RequestRate:
        """Return the rate of an endpoint's model, which ``key`` is a hash of."""
        return cls(Path(tempfile.gettempdir()) / f"editfoundry-{os.getuid()}-{key}.rate", per_minute)

    def seconds_to_wait(self) -> float:
        """Take the next turn, and return how long it is until then."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            now = time.time()
            turn = max(now, _number(os.read(descriptor, _MAX_BYTES)))
            if turn - now > _LONGEST_WAIT_SECONDS:
                turn = now
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, repr(turn + 60 / self.per_minute).encode(), 0)
            return turn - now
        finally:
            os.close(descriptor)


def _number(data: bytes) -> float:
    try:
        return float(data)
    except ValueError:
        return 0.0
