"""Whether a process that wrote something down is still at work."""

from __future__ import annotations


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
