"""How far a stage is, as lines of its step's log."""

import time
from collections.abc import Callable

from editfoundry.execution.stage_record import Progress

SECONDS = 15.0


def log_progress(
    log: Callable[[str], None], seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> Progress:
    """Return a stage's progress callback: a line at the start, then every so many ``seconds``, and one at the end."""
    last = -float("inf")

    def progress(done: int, total: int) -> None:
        nonlocal last
        if done >= total or clock() - last >= seconds:
            log(f"{done} of {total}")
            last = clock()

    return progress
