"""Shows how training goes: a bar on a terminal, log lines anywhere else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from editfoundry.training.history import History

log = logging.getLogger(__name__)

Show = Callable[[History, float], None]
"""Called after each step with the history and the learning rate."""


@contextmanager
def progress(num_steps: int, num_done: int, batch_size: int, every: int, visible: bool) -> Iterator[Show]:
    """Yield the function to call after each step; ``every`` is the number of steps between log lines."""
    if visible and sys.stderr.isatty():
        with _bar(num_steps, num_done) as show:
            yield show
        return

    def show_line(history: History, rate: float) -> None:
        if visible and (history.step % every == 0 or history.step == num_steps):
            recent = history.losses[-every:]
            speed = history.step * batch_size / max(history.seconds, 1e-9)
            loss = sum(recent) / len(recent)
            log.info("step %d/%d loss %.5f lr %.2e %.1f samples/s", history.step, num_steps, loss, rate, speed)

    yield show_line


@contextmanager
def _bar(num_steps: int, num_done: int) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=num_steps, completed=num_done, loss="")

        def show(history: History, rate: float) -> None:
            bar.update(task, completed=history.step, loss=f"loss {history.losses[-1]:.4f}")

        yield show
