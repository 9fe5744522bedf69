"""Child processes of long life: told apart by id and start time, ended with all their descendants."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def started_at(pid: int) -> float | None:
    """Return when the process started (seconds since the epoch), or None if it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_running(pid: int, start_time: float) -> bool:
    """Tell whether the process of that id is still the one that started then: ids are used again."""
    now = started_at(pid)
    return now is not None and abs(now - start_time) < 1.0


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
