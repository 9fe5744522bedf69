"""The stage ``emu-edit``: from captions to pairs of pictures of many tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.stage_result import StageResult
from editfoundry.data.tables import count_rows, read_rows, table_paths
from editfoundry.errors import Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.pretrained.asking import Asker, LoadModel
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import journal_path
from editfoundry.pretrained.language_model import language_model_identity, load_language_model
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.emu_edit.agent_exemplars import exemplars_path, load_task_exemplars
from editfoundry.synthesis.emu_edit.captions_to_edits import (
    Written,
    tasks_of_captions,
    write_by_model,
    write_true_edits,
)
from editfoundry.synthesis.emu_edit.choosing import ScoredCandidate, choose_pairs
from editfoundry.synthesis.emu_edit.config import RECIPE, EmuPairConfig
from editfoundry.synthesis.emu_edit.making import make_pairs
from editfoundry.synthesis.emu_edit.masks import mask_picture
from editfoundry.synthesis.emu_edit.models import EmuModels, load_emu_models, roles_of
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.prompt_lengths import check_prompt_length

TWICE, OTHER_TASK = "edit twice", "task predictor disagrees"
_WITHOUT_EFFECT = ("requests_per_batch", "edits_per_batch", "num_captions")
"""Parameters that change no pair."""


@dataclass(frozen=True)
class CaptionRange:
    """Captions of a table, from its first on."""

    path: Path
    first: int
    """Number of its first caption among all."""
    count: int


@dataclass(frozen=True)
class EmuTools:
    """What a process works with: the language model is loaded when something must be asked."""

    models: EmuModels
    language_model: LoadModel


@dataclass(frozen=True)
class EmuPairStage(ShardStage[CaptionRange, EmuTools, Triplet]):
    """Triplets of captions' edits.

    Every candidate is a record: it comes out or is rejected with its scores, its seed, its task and its reason. So is
    every edit that nobody wrote, or that has no candidate.
    """

    source: Path
    """Folder of caption shards, or one of them."""
    config: EmuPairConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.config).items() if name not in _WITHOUT_EFFECT}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in self._parameters.items() if value is not None}

    @cached_property
    def _identity(self) -> list[list[str]]:
        return [model_identity(self.profile, role) for role in roles_of(self.config, self.profile)]

    def shards(self) -> list[Shard[CaptionRange]]:
        """Return the caption shards, as many of them as the number of captions that is wanted takes."""
        found, first, wanted = [], 0, self.config.num_captions
        for path in table_paths(self.source):
            rows = count_rows(path)
            count = max(0, min(rows, wanted - first)) if wanted else rows
            if count:
                found.append(Shard(path.stem, CaptionRange(path, first, count), count * self.config.tasks_per_caption))
            first += rows
        return found

    def digest(self, shard: Shard[CaptionRange], target: Path) -> str:
        """Hash the captions, the parameters, the exemplars and the models."""
        shown = exemplars_path(self.config.agent.exemplars) if self.config.writer == "language_model" else None
        return input_hash(
            shard.source.path, shard.source.first, shard.source.count, self._parameters, shown, self._identity
        )

    def setup(self) -> EmuTools:
        """Load the models that paint, find and choose."""
        models = load_emu_models(self.profile, choose_runtime(self.device), self.config)
        return EmuTools(models, lru_cache(maxsize=1)(partial(load_language_model, self.profile, self.device)))

    def process(
        self, models: EmuTools, shard: Shard[CaptionRange], target: Path, notes: ShardNotes
    ) -> Iterator[Triplet]:
        """Yield the pairs that are kept; the edits of a batch are made together."""
        written, rejected = self._written(models, shard, target, notes)
        notes.rejected += rejected
        edits = self._usable(models.models, written, notes)
        num_done = len(notes.rejected)
        while batch := list(islice(edits, self.config.edits_per_batch)):
            made = make_pairs(models.models, batch, self.config)
            for candidates in choose_pairs(models.models, made, self.config):
                notes.num_derived += len(candidates) - 1
                yield from self._kept(models.models, candidates, notes)
            num_done += len(batch)
            notes.tell(num_done)

    def leftovers(self, target: Path) -> list[Path]:
        """Return the language model's journal."""
        return [journal_path(target)]

    def _written(self, tools: EmuTools, shard: Shard[CaptionRange], target: Path, notes: ShardNotes) -> Written:
        part, config = shard.source, self.config
        captions = list(islice(read_rows(part.path, Caption), part.count))
        asked = tasks_of_captions(captions, part.first, config)
        if config.writer == "tinyworld":
            return write_true_edits(asked, config.seed)
        name = ":".join(language_model_identity(self.profile))
        exemplars = load_task_exemplars(config.agent.exemplars)
        with Asker(tools.language_model, name, target, config.requests_per_batch, lambda: notes.tell(0)) as asker:
            written = write_by_model(asked, exemplars, config, asker)
            notes.totals = asker.totals
        return written

    def _usable(
        self, models: EmuModels, edits: Sequence[TaskInstruction], notes: ShardNotes
    ) -> Iterator[TaskInstruction]:
        """Yield the edits that can be painted and that the task predictor takes for what they are."""
        predictor = models.task_predictor
        predicted = predictor.predict([edit.edit for edit in edits]) if predictor else [str(e.task) for e in edits]
        seen = set()
        for edit, task in zip(edits, predicted, strict=True):
            try:
                if edit.id in seen:
                    raise Rejection(TWICE, edit.edit)
                seen.add(edit.id)
                if task != edit.task:
                    raise Rejection(OTHER_TASK, f"{task or 'none'}, not {edit.task}")
                check_prompt_length(models.painter, "first caption", edit.first_caption)
                check_prompt_length(models.painter, "second caption", edit.second_caption)
            except Rejection as rejection:
                notes.rejected.append(RejectedRow(edit.id, rejection.reason, rejection.detail, edit.texts()))
                continue
            yield edit

    def _kept(self, models: EmuModels, candidates: Sequence[ScoredCandidate], notes: ShardNotes) -> Iterator[Triplet]:
        for candidate in candidates:
            if candidate.rejection is None:
                yield self._triplet(models, candidate)
                continue
            draw = candidate.made.draw
            row = {**draw.edit.texts(), **_facts(candidate), "scores": dict(candidate.scores)}
            reason, detail = candidate.rejection.reason, candidate.rejection.detail
            place = ":".join([draw.edit.id, str(draw.seed), *([row["mask"]] if "mask" in row else [])])
            notes.rejected.append(RejectedRow(place, reason, detail, row))

    def _triplet(self, models: EmuModels, candidate: ScoredCandidate) -> Triplet:
        made, edit = candidate.made, candidate.made.draw.edit
        return Triplet(
            input_caption=edit.caption,
            instruction=edit.edit,
            output_caption=edit.output,
            input_image=made.before,
            output_image=made.after,
            category=str(edit.task),
            task=str(edit.task),
            recipe=RECIPE,
            source=edit.source,
            mask=None if made.mask is None else mask_picture(made.mask),
            provenance={**models.provenance, **self._settings, **_facts(candidate)},
            scores=candidate.scores,
        )


def _facts(candidate: ScoredCandidate) -> dict[str, Any]:
    """Return what was drawn for a candidate."""
    return {"candidate_seed": candidate.made.draw.seed, **candidate.made.facts}


def synthesize_emu_pairs(
    source: Path,
    output: Path,
    config: EmuPairConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make what is missing of ``output``; models are loaded when the first shard is not there yet.

    Args:
        source: folder of caption shards, or one of them.
        output: folder of triplet shards.
        config: how edits are written, and pairs made and chosen.
        profile: names the roles that ``config`` takes.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with edits done and edits in all.
        only: a shard to work on alone.
        replace: whether pairs of other captions may be replaced.

    Raises:
        BadInputError: ``source`` holds no captions, or ``output`` something else.
        UnavailableError: the language model did not answer for now.
    """
    stage = EmuPairStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)
