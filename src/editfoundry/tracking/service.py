"""A child process that serves a port: launched, awaited, and launched again where somebody else took its port."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from editfoundry.tracking.ports import LOOPBACK, free_port, is_free, is_serving
from editfoundry.tracking.processes import end_process

START_SECONDS = 900.0
"""Longer than any start that ends well; a busy machine takes minutes."""
PATIENCE_SECONDS = 60.0
"""After so long, and again after as long, a line says what is being waited for."""
MAX_LAUNCHES = 5


@dataclass(frozen=True, kw_only=True)
class Service:
    """One child process that serves a port."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.port}"

    def is_up(self) -> bool:
        """Return whether it lives, and it, or a child of it, is who accepts connections on its port."""
        return self.process.poll() is None and is_serving(self.port) and self._listens()

    def stop(self) -> None:
        """End it with all its descendants."""
        end_process(self.process.pid, signal_number=self.stop_signal)

    def _listens(self) -> bool:
        import psutil

        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self.process.pid)
            for process in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    connections = process.net_connections(kind="tcp")
                    if any(c.status == psutil.CONN_LISTEN and c.laddr.port == self.port for c in connections):
                        return True
        return False


def bring_up(
    name: str,
    preferred_port: int,
    command: Callable[[int], list[str]],
    *,
    root: Path,
    environment: dict[str, str],
    stop_signal: signal.Signals,
    started: Callable[[Service], object],
) -> Service:
    """Launch a service on the first free port from ``preferred_port`` on, and wait until it serves.

    A port that somebody else takes meanwhile is given up for the next one.

    Args:
        name: shown to the person; also names the log, ``<root>/.services/logs/<name>.log``.
        preferred_port: the first port to try.
        command: port -> the process's arguments.
        root: working folder of the process.
        environment: of the process.
        stop_signal: ends it in order.
        started: called with every process that was launched, before it is waited for.

    Returns:
        The service; it is up, or it ended or took too long, which `Service.is_up` tells.
    """
    for _ in range(MAX_LAUNCHES):
        port = free_port(preferred_port)
        log = root / ".services" / "logs" / f"{name.lower()}.log"
        process = _launch(command(port), root, environment, log)
        service = Service(name=name, port=port, process=process, log=log, stop_signal=stop_signal)
        started(service)
        if _wait_until_up(service) or process.poll() is None or is_free(port):
            break
    return service


def _launch(command: list[str], root: Path, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        # A session of its own: a terminal's Ctrl-C reaches this process only, which then stops each child once.
        return subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_up(service: Service) -> bool:
    began = told = time.monotonic()
    while (now := time.monotonic()) - began < START_SECONDS and service.process.poll() is None:
        if service.is_up():
            return True
        if now - told > PATIENCE_SECONDS:
            told = now
            print(f"  {service.name:8} is still starting; {service.log} says what it does", flush=True)
        time.sleep(0.3)
    return False
