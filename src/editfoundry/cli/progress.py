"""How far a command is: a bar on a terminal; anywhere else, and for commands without a bar, a line every 15 seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SECONDS = 15.0
"""Between two lines; a command that ends sooner prints none."""
FIRST_SECONDS = 5.0
"""Before the first line on a terminal, where somebody is waiting."""
GROUPS = ("sources", "synthesize", "instructions", "ratings", "lineage", "tinyworld", "import", "export")
"""Commands that are named with the word behind them."""
SPEAK_THEMSELVES = ("ui", "train", "demo", "tinyworld pretrain", "instructions train")
"""Commands that show in ways of their own what they are doing."""

Tell = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""


@dataclass(eq=False)
class _Work:
    """One thing that is being done, and how far it is."""

    what: str
    is_shown: bool = False
    """A bar shows it."""
    started: float = field(default_factory=time.monotonic)
    first: tuple[float, int] | None = None
    """When it was first told how much is done, and how much that was, which may be an earlier run's work."""
    done: int = 0
    total: int = 0

    def tell(self, done: int, total: int) -> None:
        if self.first is None or done < self.done:
            # Or counted from the start again: the next of several things.
            self.first = (time.monotonic(), done)
        self.done, self.total = done, total

    def line(self, now: float) -> str:
        if self.first is None:
            return f"{self.what}: {_duration(now - self.started)} so far"
        since, done_before = self.first
        rate = (self.done - done_before) / max(now - since, 1e-9)
        if rate <= 0 or self.done >= self.total:
            # Whatever comes after the last one is not counted.
            return f"{self.what}: {self.done} of {self.total}, {_duration(now - self.started)} so far"
        speed = f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"
        return f"{self.what}: {self.done} of {self.total}, {speed}, {_duration((self.total - self.done) / rate)} left"


_works: list[_Work] = []
"""What this process is doing, the innermost last: of one process one line at a time is shown."""


@contextmanager
def progress_bar(what: str) -> Iterator[Tell]:
    """Draw a bar on a terminal's stderr; elsewhere print every 15 seconds how much is done, how fast, how long yet.

    Args:
        what: what is counted, for example ``shards``.

    Yields:
        The function to call with how much is done and how much there is in all. Where nobody calls it, the time that
        has passed is shown.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with heartbeat(what) as tell:
            yield tell
        return
    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _doing(_Work(what, is_shown=True)):
        # Not into the bar's console: stdout may be a file.
        with Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, redirect_stdout=sys.stdout.isatty()
        ) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def heartbeat(what: str, seconds: float = SECONDS, first_seconds: float = SECONDS) -> Iterator[Tell]:
    """Print every so many seconds on stderr how far this process is, until the block ends.

    Within another heartbeat it is the other's lines that say so; a bar that is drawn meanwhile silences them.

    Args:
        what: what is being done.
        seconds: between two lines.
        first_seconds: before the first.
    """
    work = _Work(what)
    with _doing(work) as is_outermost:
        if not is_outermost:
            yield work.tell
            return
        ended = threading.Event()
        speaker = threading.Thread(target=_speak, args=(ended, seconds, first_seconds), daemon=True)
        speaker.start()
        try:
            yield work.tell
        finally:
            ended.set()
            speaker.join()


@contextmanager
def heartbeat_of_command(arguments: list[str], seconds: float = SECONDS) -> Iterator[None]:
    """Give a command line a heartbeat, named by its command, unless it speaks for itself."""
    line = " ".join(arguments)
    if not arguments or line.startswith(("-", *SPEAK_THEMSELVES)):
        yield
        return
    first = min(seconds, FIRST_SECONDS) if sys.stderr.isatty() else seconds
    with heartbeat(" ".join(arguments[: 2 if arguments[0] in GROUPS else 1]), seconds, first):
        yield


@contextmanager
def _doing(work: _Work) -> Iterator[bool]:
    """Put ``work`` on top while the block runs; yields whether it is the only one."""
    _works.append(work)
    try:
        yield len(_works) == 1
    finally:
        _works.remove(work)


def _speak(ended: threading.Event, seconds: float, first_seconds: float) -> None:
    pause, said = first_seconds, ""
    while not ended.wait(pause):
        pause = seconds
        work = _works[-1]
        line = work.line(time.monotonic())
        if not work.is_shown and line != said:
            said = line
            print(line, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
