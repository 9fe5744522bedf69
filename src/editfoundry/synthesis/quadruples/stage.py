"""The stage ``quadruples``: shards of quadruples, whoever writes them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import count_rows, read_rows, table_paths
from editfoundry.errors import Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Models, Shard, ShardStage, Source
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.pretrained.journal import journal_path
from editfoundry.synthesis.quadruples.keywords import check_keywords

STAGE = "quadruples"
QuadrupleWriter = Callable[[Caption], Quadruple]
"""Makes a quadruple of a caption, or raises Rejection."""


class QuadrupleStage(ShardStage[Source, Models, Quadruple]):
    """What every way of writing quadruples shares: the folder is one stage's."""

    name: ClassVar[str] = STAGE
    store: ClassVar[RowStore[Quadruple]] = RowStore(Quadruple)

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journal of a model's answers."""
        return [journal_path(target)]


class CaptionStage(QuadrupleStage[Path, Models]):
    """A shard of quadruples for each shard of captions."""

    source: Path
    """Folder of caption shards."""

    def shards(self) -> list[Shard[Path]]:
        """Return the caption shards."""
        return [Shard(path.stem, path, count_rows(path)) for path in table_paths(self.source)]

    @abstractmethod
    def parameters(self) -> object:
        """Return whatever shapes the writer's answers but the captions."""

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the captions and the writer's parameters."""
        return input_hash(shard.source, self.parameters())


@dataclass(frozen=True)
class OneByOneStage(CaptionStage[None]):
    """Quadruples of a writer that takes one caption at a time."""

    source: Path
    writer: QuadrupleWriter
    writer_parameters: object

    def parameters(self) -> object:
        """Return the writer's parameters."""
        return self.writer_parameters

    def setup(self) -> None:
        """Load nothing: the writer is whole."""

    def process(self, models: None, shard: Shard[Path], target: Path, notes: ShardNotes) -> list[Quadruple]:
        """Return the quadruples of the captions to which the writer has one."""
        kept: list[Quadruple] = []
        for caption in read_rows(shard.source, Caption):
            try:
                quadruple = self.writer(caption)
                check_keywords(quadruple.input_caption, quadruple.keywords)
                kept.append(quadruple)
            except Rejection as error:
                notes.rejected.append(RejectedRow(caption.id, error.reason, error.detail, asdict(caption)))
            notes.tell(len(kept) + len(notes.rejected))
        return kept


def write_quadruples(
    captions: Path,
    output: Path,
    writer: QuadrupleWriter,
    parameters: object,
    only: str | None = None,
    progress: Progress | None = None,
    replace: bool = False,
) -> StageResult:
    """Turn caption shards into quadruple shards of the same names, redoing only what has changed.

    Args:
        captions: folder of caption shards.
        output: folder of quadruple shards.
        writer: makes a quadruple of a caption.
        parameters: whatever shapes the writer's answers; it goes into the shards' digests.
        only: a shard to work on alone.
        progress: called with captions done and captions in all.
        replace: whether quadruples of other captions may be replaced.

    Raises:
        BadInputError: ``captions`` holds no table, or ``output`` holds something else.
    """
    stage = OneByOneStage(captions, writer, parameters)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)
