"""A training ends with the processes that started it, even where these are killed and can pass nothing on.

Who starts a training names itself in an environment variable, beside those who started it; every process of the
training looks now and then whether all of them are still there.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from editfoundry.data.running_process import is_running, started_at

log = logging.getLogger(__name__)

VARIABLE = "EDITFOUNDRY_TRAINING_OWNERS"
"""Environment variable: ``PID:SECONDS,...``, each a process and when it started."""
WATCH_SECONDS = 0.5
GRACE_SECONDS = 120.0
"""That a process without owners has to save its state, before it is ended for good."""


def owners_environment(pids: Sequence[int] = ()) -> dict[str, str]:
    """Return the environment variable for a child process: this process's own owners, this process, and ``pids``."""
    own = [(pid, started_at(pid)) for pid in (os.getpid(), *pids)]
    told = [f"{pid}:{started}" for pid, started in own if started is not None]
    before = os.environ.get(VARIABLE)
    return {VARIABLE: ",".join([before, *told] if before else told)}


@contextmanager
def ending_with_owners() -> Iterator[None]:
    """While the block runs, send this process SIGTERM once an owner is gone, and SIGKILL if that ends nothing."""
    told = os.environ.get(VARIABLE, "")
    owners = [(int(pid), float(started)) for pid, started in (entry.split(":") for entry in told.split(",") if entry)]
    ended = threading.Event()
    if owners:
        threading.Thread(target=_watch, args=(owners, ended), name="owners", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(owners: list[tuple[int, float]], ended: threading.Event) -> None:
    while all(is_running(*owner) for owner in owners):
        if ended.wait(WATCH_SECONDS):
            return
    log.warning("the process that started this training is gone: saving and stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    if not ended.wait(GRACE_SECONDS):
        os.kill(os.getpid(), signal.SIGKILL)
