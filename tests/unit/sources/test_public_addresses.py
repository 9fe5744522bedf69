"""Connections are looked at as they are made: real sockets, a real server, a name that changes its mind."""

from __future__ import annotations

import socket
import threading
import urllib.request

import pytest

from editfoundry.sources.public_addresses import PrivateAddressError, is_public, only_public_addresses


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"]
    + ["::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "localhost", ""],
)
def test_what_is_not_surely_public_is_not(host: str) -> None:
    assert not is_public(host)


@pytest.mark.parametrize("host", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are(host: str) -> None:
    assert is_public(host)


def test_a_connection_is_refused_inside_the_block_alone_and_in_its_own_thread(listener: int) -> None:
    with only_public_addresses():
        with pytest.raises(PrivateAddressError, match="127.0.0.1 is no public address"):
            socket.create_connection(("127.0.0.1", listener))
        outcome: list[bool] = []

        def connect() -> None:
            socket.create_connection(("127.0.0.1", listener)).close()
            outcome.append(True)

        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
        assert outcome == [True]
    socket.create_connection(("127.0.0.1", listener)).close()


def test_a_name_that_is_resolved_to_a_private_address_is_refused_by_any_library(
    listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public when it was looked at, and is the machine itself when it is connected to."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", listener))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with only_public_addresses(), pytest.raises(OSError, match="127.0.0.1 is no public address"):
        urllib.request.urlopen(f"http://videos.example.org:{listener}/film.mp4", timeout=5)
