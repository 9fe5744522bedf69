"""Runs the arms: each a folder of triplet shards, made where missing, then measured against the truth."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from editfoundry.data.atomic import atomic_file
from editfoundry.data.output_folder import claim_output
from editfoundry.data.record import Quadruple
from editfoundry.data.tables import read_rows, table_paths, write_rows
from editfoundry.errors import BadInputError
from editfoundry.evaluation.json_file import write_json
from editfoundry.execution.output_lock import output_lock
from editfoundry.execution.runner import run_stage
from editfoundry.lineage.params import Params
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.ablation.ablation_summary import summarize
from editfoundry.pretraining.ablation.arms import Arm, plan_arms
from editfoundry.pretraining.ablation.outcomes import ArmOutcomes, read_outcomes
from editfoundry.pretraining.ablation.seconds import ShardClock
from editfoundry.pretraining.ablation.table import ablation_markdown
from editfoundry.pretraining.triplet_truth import case_from_captions
from editfoundry.profiles import Profile, load_profile
from editfoundry.synthesis.editworld_text.stage import TextBranchStage

STAGE = "ablation"


def run_ablation(
    params: Params, source: Path, output: Path, num: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Make the triplets of each arm from the same quadruples and compare; write ``ablation.json`` and ``ablation.md``.

    What is there already, of the same quadruples, parameters and models, is not made again.

    Args:
        params: the branch's and the data set's parameters, and the profile.
        source: folder of quadruple shards in tinyworld's language.
        output: gets a folder for each arm.
        num: quadruples, the first whose outcome is known.
        progress: called with quadruples done and quadruples in all, each counted once an arm.

    Returns:
        What ``ablation.json`` holds.

    Raises:
        BadInputError: ``source`` holds no quadruple with a known outcome, or ``output`` something else.
        MissingModelError: a model that every arm needs is not on this machine.
        UnavailableError: another ablation is at work on ``output``.
    """
    with output_lock(output, STAGE):
        claim_output(output, STAGE)
        summary = _run_arms(params, source, output, num, progress)
        write_json(output / "ablation.json", summary)
        with atomic_file(output / "ablation.md") as file:
            file.write(ablation_markdown(summary).encode())
    return summary


def _run_arms(
    params: Params, source: Path, output: Path, num: int, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    profile = load_profile(params.profile)
    chosen, num_passed_over = _known_quadruples(source, num)
    _write_shards(output / "quadruples", chosen, params.editworld_text.records_per_batch)
    arms, left_out = plan_arms(params, profile)
    total = len(arms) * len(chosen)
    clip = load_clip(profile, choose_runtime(params.device))
    rows: list[dict[str, Any]] = []
    full: ArmOutcomes | None = None
    for number, arm in enumerate(arms):
        ahead = None if progress is None else _ahead(progress, number * len(chosen), total)
        seconds = _make(arm, output, profile, params.device, ahead)
        outcomes = read_outcomes(output / arm.name, chosen, replace(params.dataset, judge=arm.judge), clip)
        full = full or outcomes
        rows.append({**_description(arm), **summarize(outcomes, full, params.editworld_text.seed), **seconds})
    return {
        "profile": profile.name,
        "num_quadruples": len(chosen),
        "num_passed_over": num_passed_over,
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPU cores",
        "arms": rows,
        "left_out": left_out,
    }


def _known_quadruples(source: Path, num: int) -> tuple[list[Quadruple], int]:
    chosen: dict[tuple[str, str, str], Quadruple] = {}
    num_passed_over = 0
    for quadruple in _quadruples(source):
        texts = (quadruple.input_caption, quadruple.instruction, quadruple.output_caption)
        if texts in chosen:
            continue
        if case_from_captions(quadruple.input_caption, quadruple.output_caption, quadruple.instruction) is None:
            num_passed_over += 1
            continue
        chosen[texts] = quadruple
        if len(chosen) == num:
            break
    if not chosen:
        raise BadInputError(f"{source}: no quadruple here has captions of tinyworld, so none has a known outcome")
    return list(chosen.values()), num_passed_over


def _quadruples(source: Path) -> Iterator[Quadruple]:
    for path in table_paths(source):
        yield from read_rows(path, Quadruple)


def _write_shards(folder: Path, quadruples: Sequence[Quadruple], rows_per_shard: int) -> None:
    """Write one shard a batch, so that what is killed loses one batch."""
    claim_output(folder, "quadruples")
    for path in folder.glob("*.parquet"):
        path.unlink()
    for number, start in enumerate(range(0, len(quadruples), rows_per_shard)):
        write_rows(folder / f"{number:05}.parquet", quadruples[start : start + rows_per_shard], Quadruple)


def _make(
    arm: Arm, output: Path, profile: Profile, device: str, progress: Callable[[int, int], None] | None
) -> dict[str, Any]:
    clock = ShardClock(output / arm.name, output / f"{arm.name}.seconds.json")
    stage = TextBranchStage(output / "quadruples", arm.config, profile, device)
    run_stage(stage, output / arm.name, progress=progress, shard_done=clock.shard_done)
    return {"seconds_per_triplet": clock.seconds_per_triplet()}


def _ahead(progress: Callable[[int, int], None], offset: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(offset + done, total)


def _description(arm: Arm) -> dict[str, Any]:
    return {
        "name": arm.name,
        "title": arm.title,
        "config": asdict(arm.config),
        "judge_thresholds": None if arm.judge is None else asdict(arm.judge),
    }
