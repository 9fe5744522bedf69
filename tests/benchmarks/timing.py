"""What the benchmarks of training and editing share: fair timing, and tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from page import machine, write_section


def alternating_seconds(runs: Sequence[Callable[[], object]], repeats: int = 5) -> list[float]:
    """Return the median time of each of ``runs``, taken in turns, so that a busy moment hits all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for number in range(repeats + 1):
        for run, seen in zip(runs, times, strict=True):
            started = time.perf_counter()
            run()
            # The first round warms up.
            if number:
                seen.append(time.perf_counter() - started)
    return [statistics.median(seen) for seen in times]


def record(title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a section with a table, and print it."""
    text = table_on(note, header, rows)
    write_section(title, text)
    print(f"\n{text}")


def table_on(note: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table below the name of what it was measured on and a note."""
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else machine()
    return f"{device}. {note}\n\n{table}"
