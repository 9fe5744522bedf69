"""Free TCP ports on this machine's loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65535


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_serving(port: int) -> bool:
    """Tell whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(2.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port(preferred: int, *, taken: Iterable[int] = (), offsets: Iterable[int] = (0,)) -> int:
    """Return the first port from ``preferred`` upwards that is free together with its companions.

    Args:
        preferred: the first port to try.
        taken: ports promised to others already.
        offsets: distances of the companions that must be free too, 0 being the port itself.

    Raises:
        OSError: no port is left up to 65535.
    """
    promised, distances = set(taken), tuple(offsets)
    for port in range(preferred, HIGHEST_PORT + 1 - max(distances)):
        if all(port + d not in promised and is_free(port + d) for d in distances):
            return port
    raise OSError(f"no free port from {preferred} upwards on {LOOPBACK}")
