"""The text stage: shards of captions become shards of rows, each as a table and as JSONL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import ClassVar

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.record import Caption
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import count_rows, read_rows, table_paths
from editfoundry.errors import Rejection
from editfoundry.execution.progress import DoneSoFar, Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import RowStore, ShardNotes
from editfoundry.pretrained.asking import Asker, LoadModel
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import journal_path
from editfoundry.pretrained.language_model import ROLE as LANGUAGE_MODEL
from editfoundry.pretrained.language_model import language_model_identity, load_language_model, with_cost
from editfoundry.pretrained.moderator import load_moderator
from editfoundry.profiles import ModelReference, Profile
from editfoundry.sources.laion_filters import SeenRows
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.synthesis.instructions.instruction_rows import (
    TEXT_SUFFIX,
    InstructionRow,
    write_instruction_rows,
)
from editfoundry.synthesis.instructions.moderating import LoadModerator, Moderating, moderation_journal_path
from editfoundry.synthesis.instructions.text_lengths import TextLengths, load_text_lengths
from editfoundry.synthesis.instructions.writing_rounds import Tools, sampling_facts, write_rows_of

STAGE = "instructions"
ROLE, MODERATOR = "instruction_model", "moderator"
OFF = "off"
"""What provenance calls the moderator where the profile has none."""


@dataclass(frozen=True)
class InstructionStore(RowStore[InstructionRow]):
    """Rows in a Parquet table, and the same as JSONL beside it, which is written first."""

    row: type[InstructionRow] = InstructionRow

    def is_done(self, path: Path, digest: str) -> bool:
        """Return whether both are there."""
        return path.with_suffix(TEXT_SUFFIX).is_file() and super().is_done(path, digest)

    def write(self, path: Path, records: Iterable[InstructionRow], notes: ShardNotes, digest: str) -> StageResult:
        """Write the JSONL, then the rejections and the table."""
        rows = list(records)
        write_instruction_rows(path.with_suffix(TEXT_SUFFIX), rows)
        return super().write(path, rows, notes, digest)


@dataclass(frozen=True)
class CaptionShard:
    """A shard of captions and those before it, whose captions it must not repeat."""

    path: Path
    before: tuple[Path, ...]


@dataclass
class SeenBefore:
    """The captions of the shards that come before another, but for the copies among them.

    It goes on from the last shard that it was asked about.
    """

    _paths: list[Path] = field(default_factory=list)
    _seen: SeenRows = field(default_factory=SeenRows)

    def of(self, shard: CaptionShard) -> SeenRows:
        """Return what the shards before ``shard`` hold; its own captions are then to be added."""
        if tuple(self._paths) != shard.before[: len(self._paths)]:
            self._paths, self._seen = [], SeenRows()
        for path in shard.before[len(self._paths) :]:
            for caption in read_rows(path, Caption):
                # As when that shard was written: what is dropped there as a copy keeps nothing else out.
                with suppress(Rejection):
                    self._seen.take(caption)
        self._paths = [*shard.before, shard.path]
        return self._seen


@dataclass(frozen=True)
class InstructionModels:
    """What the stage works with, in one process."""

    language_model: LoadModel
    moderator: LoadModerator
    lengths: TextLengths
    seen: SeenBefore


@dataclass(frozen=True)
class InstructionWriter:
    """The configuration and the models, not loaded yet."""

    config: InstructionConfig
    profile: Profile
    device: str = "auto"

    @property
    def role(self) -> str:
        """The role that writes: a model for instructions where the profile names one, else its language model."""
        return ROLE if ROLE in self.profile.models else LANGUAGE_MODEL

    @cached_property
    def identity(self) -> list[str]:
        """What tells the language model from others."""
        return language_model_identity(self.profile, self.role)

    @cached_property
    def moderator_identity(self) -> list[str]:
        """What tells the moderator from others; empty where there is none."""
        if MODERATOR not in self.profile.models:
            return []
        options = self.profile.model(MODERATOR).options
        return [
            *model_identity(self.profile, MODERATOR),
            *(f"{name} {options[name]}" for name in ("safe_labels", "threshold") if name in options),
        ]

    @property
    def provenance(self) -> dict[str, str]:
        """The models' names by their roles."""
        return {self.role: self.identity[0], MODERATOR: self.moderator_identity[0] if self.moderator_identity else OFF}

    def parameters(self) -> list[object]:
        """Return everything that shapes a shard but its captions."""
        values = {**sampling_facts(self.config), "max_attempts": self.config.max_attempts}
        return [values, self.identity, self.moderator_identity, model_identity(self.profile, "clip")]

    def load(self) -> InstructionModels:
        """Load the tokenizer that tells lengths; the models when something must be asked that no journal answers."""
        return InstructionModels(
            lru_cache(maxsize=1)(partial(load_language_model, self.profile, self.device, self.role)),
            lru_cache(maxsize=1)(partial(load_moderator, self.profile, self.device)),
            load_text_lengths(self.profile),
            SeenBefore(),
        )


@dataclass(frozen=True)
class InstructionStage(ShardStage[CaptionShard, InstructionModels, InstructionRow]):
    """A shard of rows for each shard of captions."""

    source: Path
    """Folder of caption shards, or one of them."""
    writer: InstructionWriter

    name: ClassVar[str] = STAGE
    store: ClassVar[InstructionStore] = InstructionStore()

    @cached_property
    def _hashes(self) -> dict[Path, str]:
        """Each shard's hash, which those behind it need again."""
        return {path: file_hash(path) for path in table_paths(self.source)}

    def shards(self) -> list[Shard[CaptionShard]]:
        """Return the caption shards."""
        paths = table_paths(self.source)
        return [
            Shard(path.stem, CaptionShard(path, tuple(paths[:number])), count_rows(path))
            for number, path in enumerate(paths)
        ]

    def digest(self, shard: Shard[CaptionShard], target: Path) -> str:
        """Hash the captions, those before them, and the writer's parameters."""
        before = [self._hashes[path] for path in shard.source.before]
        return input_hash(self._hashes[shard.source.path], before, self.writer.parameters())

    def setup(self) -> InstructionModels:
        """Return what loads the models."""
        return self.writer.load()

    def process(
        self, models: InstructionModels, shard: Shard[CaptionShard], target: Path, notes: ShardNotes
    ) -> Sequence[InstructionRow]:
        """Write for a shard's captions, asking nothing twice that a stopped run has asked."""
        config, name, done = self.writer.config, ":".join(self.writer.identity), DoneSoFar(notes.tell)
        with (
            Asker(models.language_model, name, target, config.requests_per_batch, done.tell_again) as asker,
            Moderating(models.moderator, ":".join(self.writer.moderator_identity), target) as moderating,
        ):
            tools = Tools(asker, moderating, models.lengths, models.seen.of(shard.source), self.writer.provenance)
            rows, notes.rejected = write_rows_of(list(read_rows(shard.source.path, Caption)), config, tools, done.tell)
            notes.totals = asker.totals
        return rows

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journals."""
        return [journal_path(target), moderation_journal_path(target)]


def write_instructions(
    captions: Path,
    output: Path,
    config: InstructionConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Turn caption shards into shards of rows of the same names with the profile's model for instructions.

    A shard is ``00000.jsonl`` with its index ``00000.parquet``. A run that was stopped goes on within its shard and
    asks nothing twice. The result's ``totals`` hold requests, tokens and, where prices are given, their cost.

    Args:
        captions: folder of caption shards, or one of them.
        output: folder of the rows.
        config: how the model is asked.
        profile: names the role ``instruction_model`` or ``language_model``, ``clip``, and maybe ``moderator``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with captions done and captions in all.
        only: a shard to work on alone.
        replace: whether rows that were made of something else may be replaced.

    Raises:
        BadInputError: no captions, an output of something else, or an unusable model.
        UnavailableError: a model did not answer for now.
    """
    writer = InstructionWriter(config, profile, device)
    result = run_stage(InstructionStage(captions, writer), output, only=only, progress=progress, replace=replace)
    return with_cost(result, profile, writer.role)


def with_instruction_model(profile: Profile, source: str) -> Profile:
    """Return a profile whose model for instructions is another: a folder, a hub id or ``endpoint:MODEL``.

    An endpoint is asked with the settings of the profile's language model, where that is one.
    """
    chosen = ModelReference(role=ROLE, source=source)
    own = profile.models.get(LANGUAGE_MODEL)
    if chosen.is_endpoint and own is not None and own.is_endpoint:
        chosen = replace(own, role=ROLE, source=source)
    return replace(profile, models={**profile.models, ROLE: chosen})
