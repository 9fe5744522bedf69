"""A TCP proxy on 127.0.0.1 that cuts a share of what a server sends, at once or in the middle of it."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class FaultyProxy:
    """Counts what it cut."""

    upstream: tuple[str, int]
    share: float
    """Of the pieces that the server sends, each up to 64 KiB."""
    listener: socket.socket
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    num_cut: int = 0
    is_up: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if not self.is_up:
                    _reset(client)
                    continue
                server = socket.create_connection(self.upstream)
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                server.sendall(piece)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError), server:
            while piece := server.recv(65536):
                with self.lock:
                    cut = self.chance.random() < self.share
                    self.num_cut += cut
                if not self.is_up:
                    break
                if cut:
                    if self.num_cut % 2:
                        client.sendall(piece[: len(piece) // 2])
                        break
                    _reset(client)
                    return
                client.sendall(piece)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()


def _reset(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Wakes the thread that reads; as long as it does, the connection would stay open.
        client.shutdown(socket.SHUT_RD)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextmanager
def faulty_proxy(port: int, share: float) -> Iterator[FaultyProxy]:
    """Stand before 127.0.0.1:``port`` until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = FaultyProxy(("127.0.0.1", port), share, listener)
        thread = threading.Thread(target=proxy.serve, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
