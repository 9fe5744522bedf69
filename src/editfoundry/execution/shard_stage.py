"""What a stage is: inputs in shards, a pure function from a shard to records, and how records are stored.

Everything else (claiming the output, skipping what is done, counts, progress, resumption) is `run_stage`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from editfoundry.data.output_folder import input_of
from editfoundry.execution.shard_store import ShardNotes, ShardStore

Source = TypeVar("Source")
Models = TypeVar("Models")
Record = TypeVar("Record")


@dataclass(frozen=True)
class Shard(Generic[Source]):
    """One unit of a stage's work."""

    name: str
    """Of the output's files, without suffix."""
    source: Source
    """The input: a file, rows, a number."""
    size: int
    """Records to work on, as far as it is known; of a stage that writes without input, records wanted."""


class ShardStage(ABC, Generic[Source, Models, Record]):
    """A stage whose output is a folder of shards.

    A subclass is a dataclass of plain values, so that it can be pickled into another process; what is heavy is loaded
    by `setup`, there.
    """

    name: ClassVar[str]
    """Whose output the folder is claimed for."""
    sequential: ClassVar[bool] = False
    """Whether a shard depends on those before it. Such a stage runs in this process and may remember what it saw."""
    source: Path | None
    """The folder or file that the shards come from, if any."""

    @property
    @abstractmethod
    def store(self) -> ShardStore[Record]:
        """How a shard lies on the disk."""

    @abstractmethod
    def shards(self) -> Iterable[Shard[Source]]:
        """Return the shards in order; a generator where the number is not known before the input is read.

        Raises:
            BadInputError: there is no input.
        """

    @abstractmethod
    def digest(self, shard: Shard[Source], target: Path) -> str:
        """Return the hash of everything that shapes a shard: its input, the parameters, the models."""

    @abstractmethod
    def setup(self) -> Models:
        """Load the models; called once in a process, when the first shard is to be made.

        Raises:
            MissingModelError: a model is not on this machine.
        """

    @abstractmethod
    def process(self, models: Models, shard: Shard[Source], target: Path, notes: ShardNotes) -> Iterable[Record]:
        """Return or yield the records of a shard; note the rejections, and totals if any, until the last is out.

        ``target`` is where the shard will lie; nothing is written there, but paths among the records may be relative
        to it, and a journal may lie beside it.
        """

    def recall(self, shard: Shard[Source], target: Path) -> None:
        """Remember what a shard holds that is there already; for sequential stages."""

    def num_in(self, shard: Shard[Source]) -> int | None:
        """Return the number of records of which each comes out or is rejected; None where there is no such number.

        A shard that does not add up to it has lost some, and is made again.
        """
        return shard.size

    def num_records(self) -> int | None:
        """Return the size of all shards together where `shards` is a generator and it is known all the same."""
        return None

    def made_of(self, output: Path) -> str | None:
        """Return what the output's marker remembers as the input; None where outputs of several inputs may mix."""
        if self.source is None:
            return None
        is_shard = self.source.suffix in (".tar", ".parquet") and not self.source.is_dir()
        return input_of(self.source.parent if is_shard else self.source, output)

    def owns(self, name: str) -> bool:
        """Return whether a shard of this name that no input stands for any more is this stage's to remove."""
        return True

    def leftovers(self, target: Path) -> Iterable[Path]:
        """Return files that a shard needs no more once it is complete."""
        return ()
