"""Keeps downloads off this machine and its network: every address that is connected to must be a public one.

The address is looked at in the moment of connecting, so that neither a redirect nor a name that is resolved to another
address the second time gets around it.
"""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_guarded = threading.local()


class PrivateAddressError(OSError):
    """A download was led to an address that is not public."""


@contextmanager
def only_public_addresses() -> Iterator[None]:
    """Refuse this thread's connections to private, loopback, link-local and other addresses that are not public.

    A connection inside the block raises PrivateAddressError; other threads connect as they like.
    """
    _install_hook()
    before = getattr(_guarded, "is_on", False)
    _guarded.is_on = True
    try:
        yield
    finally:
        _guarded.is_on = before


def is_public(host: str) -> bool:
    """Return whether ``host`` is the number of a public address; a name is none, for it may stand for any."""
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _of_nat64(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def _of_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    is_translated = address in ipaddress.ip_network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if is_translated else None


@cache
def _install_hook() -> None:
    # Python calls audit hooks before each connection, whichever library asks for it; a hook cannot be removed.
    sys.addaudithook(_on_event)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not getattr(_guarded, "is_on", False):
        return
    address = arguments[1]
    if isinstance(address, tuple) and not is_public(str(address[0])):
        raise PrivateAddressError(f"{address[0]} is no public address; --allow-private-hosts allows it")
