"""Ends child processes of long life with all their descendants."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def end_process(pid: int, *, signal_number: int, grace_seconds: float = 20.0) -> None:
    """End a process and all its descendants: the signal to the parent, time to obey, then SIGKILL to who is left."""
    import psutil

    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        parent.send_signal(signal_number)
    _, alive = psutil.wait_procs(family, timeout=grace_seconds)
    _kill(alive)


def _kill(processes: Sequence[psutil.Process]) -> None:
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(list(processes), timeout=5)
