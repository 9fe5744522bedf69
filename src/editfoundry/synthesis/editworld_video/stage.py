"""The stage ``editworld-video``: frame pairs in, triplets with instructions out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from editfoundry.data.fields import triplet_fields
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import count_triplets, read_triplets
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import Rejection
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.execution.shard_stage import Shard, ShardStage
from editfoundry.execution.shard_store import ShardNotes, TripletStore
from editfoundry.judging import PROMPT_VERSION, JudgeConfig
from editfoundry.judging.missing_scores import TripletScorer
from editfoundry.pretrained.asking import Asker
from editfoundry.pretrained.chat import LanguageModel
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.journal import JUDGE_SUFFIX, journal_path
from editfoundry.pretrained.judge_model import load_judge_model
from editfoundry.pretrained.language_model import language_model_identity, load_language_model
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.video_language_model import ROLE, VideoLanguageModel, load_video_language_model
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_video.clip_frames import storyline_frames
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.editworld_video.instructing import Described, Refused, write_instructions
from editfoundry.synthesis.editworld_video.storyline_prompts import StorylinePrompts, load_storyline_prompts

RECIPE = "editworld-video"


@dataclass(frozen=True)
class _Branch:
    """Models of the video branch, loaded once."""

    describer: VideoLanguageModel
    language_model: LanguageModel
    scorer: TripletScorer


@dataclass(frozen=True)
class VideoBranchStage(ShardStage[Path, _Branch, Triplet]):
    """Triplets of frame pairs, whose instructions are written from descriptions of their clips."""

    source: Path
    """Folder of frame pairs; the videos must still be there."""
    config: VideoBranchConfig
    profile: Profile
    device: str = "auto"

    name: ClassVar[str] = RECIPE
    store: ClassVar[TripletStore] = TripletStore()

    @cached_property
    def _prompts(self) -> StorylinePrompts:
        chosen = self.config.prompts
        return load_storyline_prompts(_prompts_of(self.profile) if chosen == "auto" else chosen)

    @cached_property
    def _identity(self) -> list[object]:
        return _identity(self.profile, self.config, self._prompts)

    def shards(self) -> list[Shard[Path]]:
        """Return the shards of frame pairs."""
        return [Shard(path.stem, path, count_triplets(path)) for path in shards_of(self.source)]

    def digest(self, shard: Shard[Path], target: Path) -> str:
        """Hash the pairs' index, the parameters, the models and the prompts."""
        return input_hash(index_path(shard.source), RECIPE, self.config, self._identity)

    def setup(self) -> _Branch:
        """Load the branch's models."""
        return _load(self.profile, choose_runtime(self.device), self.device, self.config)

    def process(self, models: _Branch, shard: Shard[Path], target: Path, notes: ShardNotes) -> Iterator[Triplet]:
        """Yield the triplets of a shard's pairs, asking nothing twice that a stopped run has asked."""
        name, size = ":".join(language_model_identity(self.profile)), self.config.requests_per_batch
        with (
            Asker(lambda: models.language_model, name, target, size) as asker,
            models.scorer.remembering(target) as scorer,
        ):
            models = replace(models, scorer=scorer)
            yield from _triplets(models, shard.source, target.parent, self._prompts, self.config, asker, notes)
            notes.totals = asker.totals

    def leftovers(self, target: Path) -> list[Path]:
        """Return the journals of answers."""
        return [journal_path(target), journal_path(target, JUDGE_SUFFIX)]


def synthesize_video(
    source: Path,
    output: Path,
    config: VideoBranchConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
    replace: bool = False,
) -> StageResult:
    """Make a shard of triplets of each shard of frame pairs that has none yet; the videos must still be there.

    Args:
        source: folder of frame pairs.
        output: folder of triplets.
        config: how clips are described and instructions written.
        profile: names the roles ``video_language_model``, ``language_model`` and ``clip``, and, for the judge,
            ``vision_language_model``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with pairs done and pairs in all.
        only: a shard to work on alone.
        replace: whether triplets of other pairs may be replaced.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
        MissingModelError: a model is not on this machine.
        UnavailableError: the language model did not answer for now.
    """
    stage = VideoBranchStage(source, config, profile, device)
    return run_stage(stage, output, only=only, progress=progress, replace=replace)


def _triplets(
    branch: _Branch,
    shard: Path,
    output: Path,
    prompts: StorylinePrompts,
    config: VideoBranchConfig,
    asker: Asker,
    notes: ShardNotes,
) -> Iterator[Triplet]:
    pairs = read_triplets(shard)
    while batch := list(islice(pairs, config.records_per_batch)):
        described = _describe(branch.describer, batch, shard.parent, prompts, config, notes.rejected)
        kept = [pair for pair in batch if pair.id in described]
        answers = write_instructions([described[pair.id] for pair in kept], prompts, config, asker)
        made = []
        for pair, answer in zip(kept, answers, strict=True):
            facts = {"description": described[pair.id].description}
            if isinstance(answer, Refused):
                row = {**triplet_fields(pair), **facts, "answer": answer.answer}
                notes.rejected.append(RejectedRow(pair.id, answer.rejection.reason, answer.rejection.detail, row))
            else:
                made.append(_triplet(branch, pair, answer, facts, shard.parent, output, config))
        yield from branch.scorer.add_scores(made, notes.rejected)


def _describe(
    describer: VideoLanguageModel,
    pairs: Sequence[Triplet],
    folder: Path,
    prompts: StorylinePrompts,
    config: VideoBranchConfig,
    rejected: list[RejectedRow],
) -> dict[str, Described]:
    """Return pair id -> its clip in words; what cannot be read any more is rejected."""
    num_frames = config.num_frames or describer.num_frames
    clips: list[list[Image.Image]] = []
    readable: list[Triplet] = []
    for pair in pairs:
        facts = pair.provenance
        try:
            clips.append(
                storyline_frames(
                    folder / str(facts["video"]), facts["first_time"], facts["last_time"], num_frames, config.frame_side
                )
            )
            readable.append(pair)
        except Rejection as error:
            rejected.append(RejectedRow(pair.id, error.reason, error.detail, triplet_fields(pair)))
    texts = describer.generate(clips, [prompts.describe] * len(clips), config.max_description_tokens)
    return {
        pair.id: Described(
            id=pair.id, source=pair.source, description=text, caption=str(pair.provenance.get("clip_caption", ""))
        )
        for pair, text in zip(readable, texts, strict=True)
    }


def _triplet(
    branch: _Branch,
    pair: Triplet,
    quadruple: Quadruple,
    facts: dict[str, Any],
    folder: Path,
    output: Path,
    config: VideoBranchConfig,
) -> Triplet:
    video = os.path.relpath(folder / str(pair.provenance["video"]), output)
    provenance = {
        **pair.provenance,
        **asdict(config),
        **facts,
        "video": video,
        ROLE: branch.describer.name,
        "num_frames": config.num_frames or branch.describer.num_frames,
        "language_model": branch.language_model.name,
    }
    return replace(
        pair,
        instruction=quadruple.instruction,
        input_caption=quadruple.input_caption,
        output_caption=quadruple.output_caption,
        keywords=quadruple.keywords,
        category=quadruple.category,
        recipe=RECIPE,
        provenance=provenance,
    )


def _prompts_of(profile: Profile) -> str:
    roles = (ROLE, "language_model")
    return "tinyworld" if all(profile.model(role).source.startswith("package:") for role in roles) else "world"


def _identity(profile: Profile, config: VideoBranchConfig, prompts: StorylinePrompts) -> list[object]:
    roles = [ROLE, "clip", *(["vision_language_model"] if config.judge else [])]
    models = [model_identity(profile, role) for role in roles]
    return [PROMPT_VERSION, prompts.path.read_text(), language_model_identity(profile), *models]


def _load(profile: Profile, runtime: Runtime, device: str, config: VideoBranchConfig) -> _Branch:
    judge = load_judge_model(profile, runtime) if config.judge else None
    return _Branch(
        load_video_language_model(profile, runtime),
        load_language_model(profile, device),
        TripletScorer(clip=load_clip(profile, runtime), judge=judge, judge_config=JudgeConfig()),
    )
