"""Small stages for the tests of what runs stages: captions in capitals, and captions that none before had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.tables import count_rows, read_rows, table_paths, write_rows
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes


def write_captions(folder: Path, *shards: list[str]) -> Path:
    for number, texts in enumerate(shards):
        write_rows(folder / f"{number:05d}.parquet", [Caption(caption=text) for text in texts], Caption)
    return folder


@dataclass(frozen=True)
class Capitals(ShardStage[Path, str, Caption]):
    """Writes captions in capitals; a bad one is rejected."""

    source: Path
    mark: str = "!"
    seconds: float = 0.0
    """Waited for each caption."""
    loses_some: bool = False

    name: ClassVar[str] = "capitals"
    store: ClassVar[RowStore[Caption]] = RowStore(Caption)
    num_loaded: ClassVar[int] = 0

    def shards(self) -> list[Shard[Path]]:
        return [Shard(path.stem, path, count_rows(path)) for path in table_paths(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        return input_hash(shard.source, self.mark)

    def setup(self) -> str:
        type(self).num_loaded += 1
        return self.mark

    def process(self, models: str, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Caption]:
        for caption in read_rows(shard.source, Caption):
            time.sleep(self.seconds)
            if self.loses_some:
                continue
            if "bad" in caption.caption:
                notes.rejected.append(RejectedRow(caption.id, "bad", "", {"caption": caption.caption}))
            else:
                yield Caption(caption=caption.caption.upper() + models)


@dataclass(frozen=True)
class Firsts(ShardStage[Path, None, Caption]):
    """Keeps captions that no caption before was equal to, in this shard or an earlier one."""

    source: Path
    seen: set[str] = field(default_factory=set)

    name: ClassVar[str] = "firsts"
    store: ClassVar[RowStore[Caption]] = RowStore(Caption)
    sequential: ClassVar[bool] = True

    def shards(self) -> Iterator[Shard[Path]]:
        for path in table_paths(self.source):
            yield Shard(path.stem, path, count_rows(path))

    def num_records(self) -> int:
        return count_rows(self.source)

    def digest(self, shard: Shard[Path], target: Path) -> str:
        return input_hash(shard.source, sorted(self.seen))

    def setup(self) -> None:
        pass

    def process(self, models: None, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Caption]:
        for caption in read_rows(shard.source, Caption):
            if caption.caption in self.seen:
                notes.rejected.append(RejectedRow(caption.id, "seen"))
                continue
            self.seen.add(caption.caption)
            yield caption

    def recall(self, shard: Shard[Path], target: Path) -> None:
        self.seen.update(caption.caption for caption in read_rows(target, Caption))
