"""Sends a training process's log to the Dagster run that launched it, through Dagster Pipes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

_CONTEXT = "DAGSTER_PIPES_CONTEXT"
"""Environment variable that Dagster sets in the processes that it opens Pipes to."""


@contextmanager
def dagster_messages() -> Iterator[None]:
    """Pass this package's log lines (steps, loss, speed) on while the block runs, from the first process only.

    Outside a Dagster run this does nothing, and nothing of Dagster is imported.
    """
    if _CONTEXT not in os.environ or os.environ.get("RANK", "0") != "0":
        yield
        return
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:
        handler = _Forwarding(pipes.log)
        package = logging.getLogger("editfoundry")
        package.addHandler(handler)
        try:
            yield
        finally:
            package.removeHandler(handler)


class _Forwarding(logging.Handler):
    def __init__(self, target: logging.Logger) -> None:
        super().__init__(logging.INFO)
        self.target = target

    def emit(self, record: logging.LogRecord) -> None:
        self.target.log(record.levelno, record.getMessage())
