"""Runs a stage: what is the same for all stages, whoever makes their shards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Generic

from editfoundry.data.output_folder import check_claim, claim_output
from editfoundry.data.stage_result import StageResult, add_up
from editfoundry.errors import BadInputError
from editfoundry.execution.executors import Executor, Task, in_process
from editfoundry.execution.output_lock import output_lock
from editfoundry.execution.progress import Progress, StageProgress
from editfoundry.execution.shard_stage import Models, Record, Shard, ShardStage, Source
from editfoundry.execution.shard_store import SUFFIXES

ShardDone = Callable[[str], None]
"""Called with the name of a shard that is there, made now or before."""


def run_stage(
    stage: ShardStage[Source, Models, Record],
    output: Path,
    *,
    executor: Executor = in_process,
    only: str | None = None,
    progress: Progress | None = None,
    replace: bool = False,
    shard_done: ShardDone | None = None,
) -> StageResult:
    """Make what is missing of a stage's output and return the counts of all its shards.

    A shard is there when its digest is the one it was made with and no record of it is lost. Models are loaded when the
    first shard is to be made. Shards of inputs that are gone are removed, and so is what a killed process left.

    Args:
        stage: what to make.
        output: folder of the shards; made if absent.
        executor: who makes shards that do not depend on each other.
        only: name of a shard to work on alone; of a sequential stage, those before it must be there.
        progress: called with records done and records in all, within a shard too; not where nobody knows how many
            there are.
        replace: whether ``output`` may hold what was made of another input.
        shard_done: called for each shard.

    Raises:
        BadInputError: there is no input, no shard named ``only``, or ``output`` holds something else.
        UnavailableError: somebody else is at work on ``output``, or a service does not answer for now.
    """
    if stage.source is not None and stage.source.resolve() == output.resolve():
        raise BadInputError(f"{output}: is the input too; give another folder")
    shards = _started(stage.shards())
    if only is not None and isinstance(shards, Sequence):
        _require(only, shards, stage)
    made_of = stage.made_of(output)
    check_claim(output, stage.name, made_of, replace=replace, fits=stage.store.fits)
    with output_lock(output, stage.name, only):
        claim_output(output, stage.name, made_of, replace=replace, fits=stage.store.fits)
        if only is None:
            _remove_partials(output)
        return _Run(stage, output, shards, only, progress, shard_done).finish(executor)


class _Run(Generic[Source, Models, Record]):
    """One run of a stage."""

    def __init__(
        self,
        stage: ShardStage[Source, Models, Record],
        output: Path,
        shards: Iterable[Shard[Source]],
        only: str | None,
        progress: Progress | None,
        shard_done: ShardDone | None,
    ) -> None:
        self.stage, self.output, self.shards, self.only = stage, output, shards, only
        self.progress = StageProgress(progress, _total(stage, shards, only))
        self.shard_done = shard_done
        self.results: dict[str, StageResult | None] = {}
        """By name, in the shards' order; None while a shard is being made."""
        self.sizes: dict[str, int] = {}

    def finish(self, executor: Executor) -> StageResult:
        """Make what is missing."""
        if self.only is None and isinstance(self.shards, Sequence):
            self._remove_others({shard.name for shard in self.shards})
        chosen = in_process if self.stage.sequential else executor
        for name, result in chosen(self.stage, self._missing(), self._tell):
            self._note(name, result)
        if self.only is None:
            self._remove_others(self.results)
        elif not self.results:
            _require(self.only, (), self.stage)
        return add_up(result for result in self.results.values() if result is not None)

    def _missing(self) -> Iterator[Task[Source]]:
        """Note each shard that is there, and yield the others; the executor asks for them when it can take one."""
        for shard in self.shards:
            is_chosen = self.only in (None, shard.name)
            if not is_chosen and not self.stage.sequential:
                continue
            target = self.stage.store.path(self.output, shard.name)
            digest = self.stage.digest(shard, target)
            stored = self._stored(shard, target, digest)
            if is_chosen:
                self.results[shard.name], self.sizes[shard.name] = None, shard.size
            if stored is None and not is_chosen:
                raise BadInputError(
                    f"{self.output}: shard {self.only!r} depends on those before it, and {shard.name!r} is not there; "
                    f"make that one first, or all"
                )
            if stored is None:
                self._tell(shard.name, 0)
                yield Task(shard, target, digest)
            else:
                self.stage.recall(shard, target)
                if is_chosen:
                    self._note(shard.name, stored)
            if self.only == shard.name:
                return

    def _stored(self, shard: Shard[Source], target: Path, digest: str) -> StageResult | None:
        store = self.stage.store
        if not store.is_done(target, digest):
            return None
        try:
            stored = store.stored(target)
        except BadInputError:
            return None
        return stored if self.stage.num_in(shard) in (None, stored.num_in) else None

    def _note(self, name: str, result: StageResult) -> None:
        for path in self.stage.leftovers(self.stage.store.path(self.output, name)):
            path.unlink(missing_ok=True)
        self.results[name] = result
        self.progress.complete(name, self.sizes[name])
        if self.shard_done is not None:
            self.shard_done(name)

    def _tell(self, name: str, done: int) -> None:
        self.progress.within(name, self.sizes[name], done)

    def _remove_others(self, names: Collection[str]) -> None:
        """Remove shards of inputs that are gone; a file's stem is its name up to the first dot."""
        for path in self.output.iterdir():
            name = path.name.split(".")[0]
            if name and path.suffix in SUFFIXES and name not in names and self.stage.owns(name):
                path.unlink()


def _started(shards: Iterable[Shard[Source]]) -> Iterable[Shard[Source]]:
    """Read the first shard, so that bad input is found before the output is touched; a sequence stays one."""
    if isinstance(shards, Sequence):
        return shards
    iterator = iter(shards)
    first = next(iterator, None)
    return [] if first is None else chain([first], iterator)


def _require(only: str, shards: Sequence[Shard[Source]], stage: ShardStage[Source, Models, Record]) -> None:
    if only not in {shard.name for shard in shards}:
        raise BadInputError(f"{stage.source}: no shard {only!r}; run the stage before it for that shard first")


def _total(stage: ShardStage[Source, Models, Record], shards: Iterable[Shard[Source]], only: str | None) -> int | None:
    if isinstance(shards, Sequence):
        return sum(shard.size for shard in shards if only in (None, shard.name))
    return stage.num_records() if only is None else None


def _remove_partials(output: Path) -> None:
    """Remove the temporary files that killed writers left; nobody else writes while the whole folder is held."""
    for path in output.glob(".*.partial"):
        path.unlink(missing_ok=True)
