"""Candidates of Emu Edit's pairs for tinyworld's edits, every one with what all filters say and whether it is right."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from editfoundry.data.edit_tasks import EditTask, task_named
from editfoundry.data.hashing import input_hash
from editfoundry.data.record import Caption
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.preservation import capped_psnr
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretraining.triplet_truth import at_tinyworlds_size, case_of_texts
from editfoundry.synthesis.emu_edit.captions_to_edits import TaskOfCaption, write_true_edits
from editfoundry.synthesis.emu_edit.choosing import ScoredCandidate, filters_against, with_all_scores
from editfoundry.synthesis.emu_edit.config import EmuPairConfig
from editfoundry.synthesis.emu_edit.made_pair import MadePair
from editfoundry.synthesis.emu_edit.making import make_pairs
from editfoundry.synthesis.emu_edit.models import EmuModels, load_emu_models, roles_of
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.emu_edit.task_settings import MASK_KINDS, RegionSettings
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import RULE_VERSION, changed_region, judge_outcome
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

if TYPE_CHECKING:
    from editfoundry.claims.workbench import Workbench

MAKING_VERSION = 2
"""Raised when pairs are made otherwise by the same settings, so that kept ones are made anew."""
MASKED_TASKS = (EditTask.LOCAL, EditTask.TEXTURE, EditTask.REMOVE, EditTask.ADD)
"""Tasks of which each mask makes a candidate."""
ATTENTION_TASKS = (EditTask.LOCAL, EditTask.TEXTURE)
"""Those that are made by attention control; the others are inpainted."""


@dataclass(frozen=True, kw_only=True)
class JudgedCandidate:
    """One candidate of an edit."""

    draw: int
    """Number of its first picture among the edit's."""
    mask: str
    right: bool
    """Whether its second picture shows the true outcome."""
    psnr: float
    """Between its two pictures, outside what truly changes, in dB."""
    worth: float
    """What those are ordered by that pass the filters."""
    against: tuple[str, ...]
    """Filters that have something against it."""


def task_candidates(bench: Workbench) -> list[list[JudgedCandidate]]:
    """Return the candidates of the ledger's edits, `MASKED_TASKS` in turns; an edit is made once, and then taken.

    An edit has no candidate where nothing was found to edit.

    Raises:
        MissingModelError: the profile lacks a model.
    """
    return list(_made(bench, _config(bench), MASKED_TASKS).values())


def attention_candidates(bench: Workbench, is_held: bool) -> list[list[JudgedCandidate]]:
    """Return the candidates of those edits that attention control makes; or, not held, by plain prompt-to-prompt.

    Without being held, all masks of a first picture come to the same, and there is a candidate of the precise one
    alone. First pictures, guidance and shared attention are the same.
    """
    config = _config(bench)
    if not is_held:
        region = RegionSettings(**{**asdict(config.region), "blending": (1.0, 1.0)})
        config = replace(config, region=region, masks=replace(config.masks, kinds=MASK_KINDS[:1]))
    tasks = MASKED_TASKS if is_held else ATTENTION_TASKS
    made = _made(bench, config, tasks)
    return [made[number] for number in made if MASKED_TASKS[number % len(MASKED_TASKS)] in ATTENTION_TASKS]


def _config(bench: Workbench) -> EmuPairConfig:
    return replace(
        bench.emu_pairs,
        writer="tinyworld",
        tasks=tuple(map(str, MASKED_TASKS)),
        tasks_per_caption=1,
        num_inference_steps=bench.config.num_inference_steps,
        seed=bench.config.seed,
    )


def _made(bench: Workbench, config: EmuPairConfig, tasks: Sequence[EditTask]) -> dict[int, list[JudgedCandidate]]:
    """Return the candidates of the edits of these tasks by the edits' numbers."""
    for role in config.roles:
        bench.profile.model(role)
    identity = [model_identity(bench.profile, role) for role in roles_of(config, bench.profile)]
    folder = bench.work_dir / "task_pairs" / input_hash(identity, asdict(config), RULE_VERSION, MAKING_VERSION)[:16]
    edits = [
        (number, edit, case)
        for number, (edit, case) in enumerate(_edits(config.tasks, config.seed, bench.config.num_task_pairs))
        if edit.task in tasks
    ]
    missing = [one for one in edits if not _file(folder, one[0]).is_file()]
    models = load_emu_models(bench.profile, bench.runtime, config) if missing else None
    while missing and models is not None:
        batch, missing = missing[: config.edits_per_batch], missing[config.edits_per_batch :]
        made = make_pairs(models, [edit for _, edit, _ in batch], config)
        for (number, _, case), pairs in zip(batch, made, strict=True):
            write_json(_file(folder, number), [asdict(one) for one in _judged(models, pairs, case, config)])
        if bench.progress is not None:
            bench.progress(len(edits) - len(missing), len(edits))
    return {number: _read(_file(folder, number)) for number, _, _ in edits}


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.json"


def _read(path: Path) -> list[JudgedCandidate]:
    return [JudgedCandidate(**{**one, "against": tuple(one["against"])}) for one in json.loads(path.read_text())]


@lru_cache(maxsize=4)
def _edits(tasks: tuple[str, ...], seed: int, count: int) -> list[tuple[TaskInstruction, EditCase]]:
    """Return true edits of tinyworld's scenes with their outcomes; the tasks take turns."""
    edits: list[tuple[TaskInstruction, EditCase]] = []
    for tried in itertools.count():
        task = task_named(tasks[len(edits) % len(tasks)])
        scene = sample_scene(random_stream("claims", "task pairs", seed, tried))
        caption = Caption(caption=scene.caption, url=f"https://tinyworld.invalid/{tried}")
        written, _ = write_true_edits([TaskOfCaption(tried, caption, task)], seed)
        for edit in written:
            case = case_of_texts(str(task), edit.caption, edit.output, edit.edit)
            edits += [] if case is None else [(edit, case)]
        if len(edits) == count:
            break
    return edits


def _judged(
    models: EmuModels, made: Sequence[MadePair], case: EditCase, config: EmuPairConfig
) -> list[JudgedCandidate]:
    there = [pair for pair in made if pair.rejection is None and pair.is_finite]
    return [_candidate(one, case, config) for one in with_all_scores(models, there, config)]


def _candidate(one: ScoredCandidate, case: EditCase, config: EmuPairConfig) -> JudgedCandidate:
    before, after = at_tinyworlds_size(one.made.before), at_tinyworlds_size(one.made.after)
    outside = ~changed_region(case.input_image, case.true_output)
    mse = float(np.square(before[outside].astype(np.float64) - after[outside]).mean()) if outside.any() else 0.0
    return JudgedCandidate(
        draw=one.made.draw.number,
        mask=str(one.made.facts.get("mask", "")),
        right=judge_outcome(after, case).right,
        psnr=capped_psnr(mse),
        worth=one.worth,
        against=tuple(filters_against(one, config)),
    )
