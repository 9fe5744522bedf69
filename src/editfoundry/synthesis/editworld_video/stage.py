"""The stage ``editworld-video``: frame pairs in, triplets with instructions out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from editfoundry.data.fields import triplet_fields
from editfoundry.data.hashing import input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.one_shard import chosen_shards
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Quadruple, Triplet
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import is_done, read_triplets, reused_result, write_triplets
from editfoundry.data.stage import StageResult, add_up
from editfoundry.errors import BadInputError, Rejection
from editfoundry.judging import PROMPT_VERSION, JudgeConfig
from editfoundry.judging.missing_scores import Scorer
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.language_model import LanguageModel, language_model_identity, load_language_model
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.video_language_model import ROLE, VideoLanguageModel, load_video_language_model
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_video.clip_frames import storyline_frames
from editfoundry.synthesis.editworld_video.config import VideoBranchConfig
from editfoundry.synthesis.editworld_video.instructing import Described, Refused, write_instructions
from editfoundry.synthesis.editworld_video.recipe import RECIPE
from editfoundry.synthesis.editworld_video.storyline_prompts import StorylinePrompts, load_storyline_prompts
from editfoundry.synthesis.quadruples.asking import Asker
from editfoundry.synthesis.quadruples.journal import journal_path


@dataclass(frozen=True)
class _Branch:
    """Models of the video branch, loaded once."""

    describer: VideoLanguageModel
    language_model: LanguageModel
    scorer: Scorer


def synthesize_video(
    source: Path,
    output: Path,
    config: VideoBranchConfig,
    profile: Profile,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    only: str | None = None,
) -> StageResult:
    """Make a shard of triplets of each shard of frame pairs that has none yet; the videos must still be there.

    Args:
        source: folder of frame pairs.
        output: folder of triplets.
        config: how clips are described and instructions written.
        profile: names the roles ``video_language_model``, ``language_model`` and ``clip``, and, for the judge,
            ``vision_language_model``.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with shards done and shards in all.
        only: a shard to work on alone.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
        MissingModelError: a model is not on this machine.
        UnavailableError: the language model did not answer for now.
    """
    shards = chosen_shards(shards_of(source), only)
    if source.resolve() == output.resolve():
        raise BadInputError(f"{output}: is the input too; give another folder")
    prompts = load_storyline_prompts(_prompts_of(profile) if config.prompts == "auto" else config.prompts)
    identity = _identity(profile, config, prompts)
    claim_output(output, RECIPE)
    if only is None:
        remove_other_shards(output, {path.stem for path in shards})

    @lru_cache(maxsize=1)
    def branch() -> _Branch:
        return _load(profile, choose_runtime(device), device, config)

    results = []
    for number, shard in enumerate(shards, start=1):
        target = output / shard.name
        digest = input_hash(index_path(shard), RECIPE, config, identity)
        if is_done(target, digest):
            results.append(reused_result(target))
        else:
            rejected: list[RejectedRow] = []
            with Asker(
                lambda: branch().language_model, ":".join(language_model_identity(profile)), target,
                config.requests_per_batch,
            ) as asker:  # fmt: skip
                made = _triplets(branch(), shard, output, prompts, config, asker, rejected)
                results.append(replace(write_triplets(target, made, rejected, digest), totals=asker.totals))
        journal_path(target).unlink(missing_ok=True)
        if progress is not None:
            progress(number, len(shards))
    return add_up(results)


def _triplets(
    branch: _Branch,
    shard: Path,
    output: Path,
    prompts: StorylinePrompts,
    config: VideoBranchConfig,
    asker: Asker,
    rejected: list[RejectedRow],
) -> Iterator[Triplet]:
    pairs = read_triplets(shard)
    while batch := list(islice(pairs, config.records_per_batch)):
        described = _describe(branch.describer, batch, shard.parent, prompts, config, rejected)
        kept = [pair for pair in batch if pair.id in described]
        answers = write_instructions([described[pair.id] for pair in kept], prompts, config, asker)
        made = []
        for pair, answer in zip(kept, answers, strict=True):
            facts = {"description": described[pair.id].description}
            if isinstance(answer, Refused):
                row = {**triplet_fields(pair), **facts, "answer": answer.answer}
                rejected.append(RejectedRow(pair.id, answer.rejection.reason, answer.rejection.detail, row))
            else:
                made.append(_triplet(branch, pair, answer, facts, shard.parent, output, config))
        yield from branch.scorer.add_scores(made, rejected)


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
        **pair.provenance, **asdict(config), **facts, "video": video, ROLE: branch.describer.name,
        "num_frames": config.num_frames or branch.describer.num_frames, "language_model": branch.language_model.name,
    }  # fmt: skip
    return replace(
        pair, instruction=quadruple.instruction, input_caption=quadruple.input_caption,
        output_caption=quadruple.output_caption, keywords=quadruple.keywords, category=quadruple.category,
        recipe=RECIPE, provenance=provenance,
    )  # fmt: skip


def _prompts_of(profile: Profile) -> str:
    roles = (ROLE, "language_model")
    return "tinyworld" if all(profile.model(role).source.startswith("package:") for role in roles) else "world"


def _identity(profile: Profile, config: VideoBranchConfig, prompts: StorylinePrompts) -> list[object]:
    roles = [ROLE, "clip", *(["vision_language_model"] if config.judge else [])]
    models = [model_identity(profile, role) for role in roles]
    return [PROMPT_VERSION, prompts.path.read_text(), language_model_identity(profile), *models]


def _load(profile: Profile, runtime: Runtime, device: str, config: VideoBranchConfig) -> _Branch:
    judge = load_vision_language_model(profile, runtime) if config.judge else None
    return _Branch(
        load_video_language_model(profile, runtime), load_language_model(profile, device),
        Scorer(clip=load_clip(profile, runtime), judge=judge, judge_config=JudgeConfig()),
    )  # fmt: skip
