"""Ends an HTTP exchange that takes too long in all: httpx's timeouts begin anew with every byte that drips in."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any


class ExchangeDeadline:
    """Shuts the connection of one exchange down when its time is over.

    Used as a context around the exchange, whose request carries `trace` as httpx's extension of that name. The
    connection must be one that no earlier exchange opened: the client keeps none alive.
    """

    def __init__(self, seconds: float) -> None:
        """``seconds`` from connecting to the last byte of the body."""
        self.seconds = seconds
        self.ends = time.monotonic() + seconds
        """On the clock of ``time.monotonic``."""
        self._stream: Any = None
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> ExchangeDeadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    @property
    def has_passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.ends

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the connection as httpx opens it, and again when it is wrapped for TLS."""
        opened = info.get("return_value")
        if hasattr(opened, "get_extra_info"):
            self._stream = opened
            # The time may have ended while there was nothing to shut down.
            if self.has_passed:
                self._shut_down()

    def _shut_down(self) -> None:
        connection = self._stream.get_extra_info("socket") if self._stream is not None else None
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket, which would drop the state that a reader is using right now.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
