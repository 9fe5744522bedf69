"""The stage ``editworld-text``: a triplet shard for each quadruple shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import count_rows, read_rows, table_paths
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import JUDGE_SUFFIX, journal_path
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import RECIPE, TextBranchConfig, roles_of
from editfoundry.synthesis.editworld_text.models import TextBranch, load_branch
from editfoundry.synthesis.editworld_text.triplets import make_triplets


@dataclass(frozen=True)
class TextBranchStage(ShardStage[Path, TextBranch, Triplet]):
    """Triplets of quadruples, made with the models of the text branch."""

    source: Path
    """Folder of quadruple shards."""
    config: TextBranchConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _identity(self) -> list[list[str]]:
        return [model_identity(self.profile, role) for role in roles_of(self.config)]

    def shards(self) -> list[Shard[Path]]:
        """Return the quadruple shards."""
        return [Shard(path.stem, path, count_rows(path)) for path in table_paths(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the quadruples, the parameters and the models."""
        return input_hash(shard.source, self.config, self._identity)

    def setup(self) -> TextBranch:
        """Load the branch's models."""
        return load_branch(self.profile, choose_runtime(self.device), self.config)

    def process(self, models: TextBranch, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield the triplets of a shard's quadruples; an endpoint that judges is asked nothing twice."""
        with models.remembering(target) as branch:
            yield from make_triplets(branch, list(read_rows(shard.source, Quadruple)), self.config, notes.rejected)

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journal of the judge's answers."""
        return [journal_path(target, JUDGE_SUFFIX)]


def synthesize(
    source: Path,
    output: Path,
    config: TextBranchConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make what is missing of ``output``; models are loaded when the first shard is not there yet.

    A shard is there when it was made of the same quadruples, parameters and models.

    Args:
        source: folder of quadruple shards.
        output: folder of triplet shards.
        config: how triplets are made.
        profile: names the roles that the configuration's steps need.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with quadruples done and quadruples in all.
        only: a shard to work on alone.
        replace: whether triplets of other quadruples may be replaced.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
    """
    stage = TextBranchStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)
