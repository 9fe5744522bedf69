"""Who makes a stage's shards: a loop in this process now; processes and clusters follow without touching a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol

from editfoundry.data.stage_result import StageResult
from editfoundry.execution.shard_stage import Models, Record, Shard, ShardStage, Source
from editfoundry.execution.shard_store import ShardNotes


@dataclass(frozen=True)
class Task(Generic[Source]):
    """A shard that is to be made."""

    shard: Shard[Source]
    target: Path
    digest: str


Tell = Callable[[str, int], None]
"""Called with a shard's name and how many of its records are done."""


class Executor(Protocol):
    """Makes shards that do not depend on each other, in any order and anywhere.

    Whoever makes them leaves the same files: an executor gives a `ShardWorker` of the pickled stage to each process.
    """

    def __call__(
        self, stage: ShardStage[Any, Any, Any], tasks: Iterable[Task[Any]], tell: Tell
    ) -> Iterator[tuple[str, StageResult]]:
        """Yield each shard's name and counts once it is there; telling progress within shards is optional."""


class ShardWorker(Generic[Source, Models, Record]):
    """Makes shards of one stage, one after the other, with models that are loaded for the first."""

    def __init__(self, stage: ShardStage[Source, Models, Record]) -> None:
        self._stage = stage
        self._models: list[Models] = []

    def make(self, task: Task[Source], tell: Callable[[int], None]) -> StageResult:
        """Make a shard and return its counts.

        Raises:
            RuntimeError: the stage lost records, which is a fault of its code.
        """
        if not self._models:
            self._models.append(self._stage.setup())
        notes = ShardNotes(tell=tell)
        made = self._stage.process(self._models[0], task.shard, task.target, notes)
        result = self._stage.store.write(task.target, _counted(made, notes), notes, task.digest)
        num_in = self._stage.num_in(task.shard)
        if num_in not in (None, result.num_in):
            raise RuntimeError(
                f"{task.target}: {num_in} records in, but {result.num_out} out and {result.num_rejected} "
                f"rejected ({result.num_derived} derived)"
            )
        return result


def in_process(
    stage: ShardStage[Source, Models, Record], tasks: Iterable[Task[Source]], tell: Tell
) -> Iterator[tuple[str, StageResult]]:
    """Make one shard after the other here; the next task is asked for when the one before it is done."""
    worker = ShardWorker(stage)
    for task in tasks:
        yield task.shard.name, worker.make(task, partial(tell, task.shard.name))


def _counted(records: Iterable[Record], notes: ShardNotes) -> Iterator[Record]:
    """Tell how far a shard is while its records are taken one by one."""
    for number, record in enumerate(records, start=1):
        yield record
        notes.tell(number + len(notes.rejected) - notes.num_derived)
