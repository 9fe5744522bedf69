"""Draws many pictures with all cores of the machine: where a GPU trains, drawing would else take longer."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.executors import ShardWorker, Task, Tell, in_process
from editfoundry.execution.shard_stage import ShardStage

BLOCK = 64
"""Pictures that are drawn, and handed on, at once."""
MIN_PARALLEL = 2_048
"""Pictures from which on starting processes pays."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def drawn(draw: Callable[[Item], np.ndarray], items: Sequence[Item]) -> Iterator[np.ndarray]:
    """Yield ``draw`` of every item in order, in arrays of up to ``BLOCK`` of them; see `mapped`."""
    return (np.stack(block) for block in mapped(draw, items))


def mapped(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[list[Result]]:
    """Yield ``function`` of every item in order, in lists of up to ``BLOCK`` of them.

    Args:
        function: a module's, which processes can import; the same item always gives the same result.
        items: from ``MIN_PARALLEL`` of them on, processes share the work.
    """
    blocks = [items[start : start + BLOCK] for start in range(0, len(items), BLOCK)]
    whole = partial(_map_block, function)
    return map(whole, blocks) if len(items) < MIN_PARALLEL else each_on_a_core(whole, blocks)


def each_on_a_core(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield ``function`` of every item in order: where there are several, in a process for each core.

    Args:
        function: a module's, or a method or part of one, which processes can import.
        items: each worth more than handing it to a process.
    """
    num_processes = min(num_cores(), len(items))
    if num_processes <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(num_processes, _clean_processes()) as pool:
        yield from pool.map(function, items)


def on_all_cores(
    stage: ShardStage[Any, Any, Any], tasks: Iterable[Task[Any]], tell: Tell
) -> Iterator[tuple[str, StageResult]]:
    """Make a stage's shards as an `Executor`: where there are several, in a process for each core."""
    waiting = list(tasks)
    if min(num_cores(), len(waiting)) <= 1:
        yield from in_process(stage, waiting, tell)
        return
    yield from each_on_a_core(partial(_make_shard, stage), waiting)


def _clean_processes() -> Any:
    """Return what starts processes that have imported what this one has, and share nothing else with it.

    They are forked from a server that has no threads and no GPU, which this process may hold.
    """
    try:
        context = multiprocessing.get_context("forkserver")
    except ValueError:
        return multiprocessing.get_context("spawn")
    # Imported once, not once in every process.
    context.set_forkserver_preload([name for name in sys.modules if name.partition(".")[0] == "editfoundry"])
    return context


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make_shard(stage: ShardStage[Any, Any, Any], task: Task[Any]) -> tuple[str, StageResult]:
    return task.shard.name, ShardWorker(stage).make(task, lambda done: None)


def _map_block(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]
