"""What a benchmark is before it is read: its name, where its edits come from, and whether their truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from editfoundry.evaluation.benchmarks.item import Benchmark


class Draw(Protocol):
    """Draws a benchmark."""

    def __call__(self, num_items: int | None, seed: int, side: int | None = None) -> Benchmark:
        """Draw so many items (None: its own number) from a seed, as pictures of ``side`` pixels (None: its own)."""
        ...


@dataclass(frozen=True, kw_only=True)
class BenchmarkDefinition:
    """One benchmark; either ``read`` or ``draw`` is given."""

    name: str
    """Names it on the command line."""
    title: str
    knows_truth: bool = False
    """Whether the right answer is known pixel by pixel, so that outcome accuracy can be measured."""
    layout: str = ""
    """What its folder holds, in one line; empty for a benchmark that is drawn."""
    read: Callable[[Path], Benchmark] | None = None
    """Reads it from the folder that the person has fetched."""
    draw: Draw | None = None
    """Draws it."""
