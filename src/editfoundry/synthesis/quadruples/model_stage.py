"""Quadruples written by the profile's language model: from caption shards, or freely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import read_rows
from editfoundry.errors import BadInputError
from editfoundry.execution.progress import DoneSoFar, Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard
from editfoundry.execution.shard_store import ShardNotes
from editfoundry.pretrained.asking import Asker, LoadModel
from editfoundry.pretrained.language_model import (
    ROLE,
    language_model_identity,
    load_language_model,
    with_cost,
)
from editfoundry.profiles import Profile
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.free import write_freely
from editfoundry.synthesis.quadruples.from_captions import write_from_captions
from editfoundry.synthesis.quadruples.stage import CaptionStage, QuadrupleStage
from editfoundry.synthesis.quadruples.writing import Writing

_FREE_ONLY = ("quadruples_per_turn", "num_turns", "rows_per_shard")
_WITHOUT_EFFECT = ("writer", "requests_per_batch", "exemplars")
"""Parameters that change no answer, or that the digest holds in another way."""
_FREE_INPUT = "the exemplars alone"


@dataclass(frozen=True)
class ModelWriter:
    """A language model that writes quadruples, not loaded yet."""

    config: QuadrupleConfig
    profile: Profile
    device: str = "auto"

    @cached_property
    def writing(self) -> Writing:
        """The configuration with its exemplars, by default those that suit the model."""
        exemplars = self.config.exemplars
        if exemplars == "auto":
            exemplars = "tinyworld" if self.profile.model(ROLE).source.startswith("package:") else "world"
        return Writing.of(self.config, exemplars)

    @cached_property
    def identity(self) -> list[str]:
        """What tells the model from others."""
        return language_model_identity(self.profile)

    def loader(self) -> LoadModel:
        """Return what loads the model, once, when something must be asked that no journal has the answer to."""
        return lru_cache(maxsize=1)(partial(load_language_model, self.profile, self.device))

    def ask(self, load: LoadModel, target: Path, told: Callable[[], None]) -> Asker:
        """Return what asks for one shard; ``told`` is called at every answer."""
        return Asker(load, ":".join(self.identity), target, self.config.requests_per_batch, told)

    def parameters(self, *without: str) -> list[object]:
        """Return everything that shapes a shard but its input."""
        values = asdict(self.config)
        for name in (*_WITHOUT_EFFECT, *without):
            values.pop(name)
        exemplars = self.writing.prompts.exemplars.path.read_text(encoding="utf-8")
        return ["language_model", values, self.identity, exemplars]


@dataclass(frozen=True)
class ModelCaptionStage(CaptionStage[LoadModel]):
    """Quadruples that a language model writes for captions."""

    source: Path
    writer: ModelWriter

    def parameters(self) -> object:
        """Return the parameters, the model and the exemplars."""
        return self.writer.parameters(*_FREE_ONLY)

    def setup(self) -> LoadModel:
        """Return what loads the model."""
        return self.writer.loader()

    def process(self, models: LoadModel, shard: Shard[Path], target: Path, notes: ShardNotes) -> list[Quadruple]:
        """Write for a shard's captions, asking nothing twice that a stopped run has asked."""
        done = DoneSoFar(notes.tell)
        with self.writer.ask(models, target, done.tell_again) as asker:
            captions = list(read_rows(shard.source, Caption))
            kept, notes.rejected = write_from_captions(captions, self.writer.writing, asker, done.tell)
            notes.totals = asker.totals
        return kept


@dataclass(frozen=True)
class FreeStage(QuadrupleStage[int, LoadModel]):
    """Quadruples that a language model writes from the exemplars alone; a shard's source is its number."""

    sequential: ClassVar[bool] = True
    count: int
    writer: ModelWriter
    source: None = None

    def shards(self) -> list[Shard[int]]:
        """Return shards of as many quadruples as the configuration says."""
        size = self.writer.config.rows_per_shard
        starts = range(0, self.count, size)
        return [Shard(f"{n:05d}", n, min(size, self.count - start)) for n, start in enumerate(starts)]

    def num_in(self, shard: Shard[int]) -> None:
        """Return None: how much the model writes that is dropped is not known beforehand."""

    def digest(self, shard: Shard[int], target: Path) -> str:
        """Hash the parameters and the shards before this one, which it does not repeat."""
        parameters = self.writer.parameters("max_categories")
        return input_hash("free", shard.source, shard.size, self._before(shard, target), parameters)

    def setup(self) -> LoadModel:
        """Return what loads the model."""
        return self.writer.loader()

    def process(self, models: LoadModel, shard: Shard[int], target: Path, notes: ShardNotes) -> list[Quadruple]:
        """Write a shard, asking nothing twice that a stopped run has asked."""
        earlier = (quadruple for path in self._before(shard, target) for quadruple in read_rows(path, Quadruple))
        done = DoneSoFar(notes.tell)
        with self.writer.ask(models, target, done.tell_again) as asker:
            kept, notes.rejected = write_freely(
                shard.size, shard.source, self.writer.writing, asker, earlier, done.tell
            )
            notes.totals = asker.totals
        return kept

    def made_of(self, output: Path) -> str:
        """Return that there is no input."""
        return _FREE_INPUT

    def _before(self, shard: Shard[int], target: Path) -> list[Path]:
        return [self.store.path(target.parent, f"{number:05d}") for number in range(shard.source)]


def write_model_quadruples(
    captions: Path,
    output: Path,
    config: QuadrupleConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Turn caption shards into quadruple shards of the same names with the profile's ``language_model``.

    A run that was stopped goes on within its shard and asks nothing twice. The result's ``totals`` hold requests,
    tokens and, where prices are given, the cost of all shards, those that were there already included.

    Args:
        captions: folder of caption shards.
        output: folder of quadruple shards.
        config: how quadruples are written.
        profile: names the role ``language_model``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with captions done and captions in all.
        only: a shard to work on alone.
        replace: whether quadruples that were made of something else may be replaced.

    Raises:
        BadInputError: no captions, an output of something else, a malformed file of exemplars, or an unusable model.
        UnavailableError: the model did not answer for now.
    """
    stage = ModelCaptionStage(captions, ModelWriter(config, profile, device))
    return with_cost(run_stage(stage, output, only=only, progress=progress, replace=replace), profile)


def write_free_quadruples(
    count: int,
    output: Path,
    config: QuadrupleConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Write about ``count`` quadruples from the exemplars alone, the same number of every category.

    ``progress`` is called with quadruples written and quadruples wanted; the rest is as for `write_model_quadruples`.

    Raises:
        BadInputError: ``count`` is below 1, or as for `write_model_quadruples`.
        UnavailableError: the model did not answer for now.
    """
    if count < 1:
        raise BadInputError(f"{count} quadruples were asked for; ask for at least 1")
    stage = FreeStage(count, ModelWriter(config, profile, device))
    return with_cost(run_stage(stage, output, only=only, progress=progress, replace=replace), profile)
