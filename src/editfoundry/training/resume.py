"""Checkpoints to resume from, ``<output>/.resume/step-N``: written aside, then renamed; the newest few are kept."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from editfoundry.errors import BadInputError
from editfoundry.training.averaging import RunningAverage
from editfoundry.training.fingerprint import run_hash, run_settings
from editfoundry.training.history import History
from editfoundry.training.loop_config import LoopConfig
from editfoundry.training.remote_checkpoints import RemoteCheckpoints
from editfoundry.training.resume_folder import FOLDER, last_good_state, saved_steps
from editfoundry.training.run_folder import writing

log = logging.getLogger(__name__)

SETTINGS_NAME = "settings.json"


def save_resumable(
    accelerator: Accelerator, config: LoopConfig, history: History, average: RunningAverage | None
) -> None:
    """Save models, optimizer, average, random states and history; every process calls this at the same step.

    Raises:
        TrainingError: the disk is full, or the bucket cannot be written to; the checkpoints before are still there.
    """
    folder = config.output / FOLDER
    partial, final = folder / f".step-{history.step}.partial", folder / f"step-{history.step}"
    with writing(f"the state of step {history.step}", folder, last_good_state(config.output)):
        if accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        accelerator.wait_for_everyone()
        try:
            _write(accelerator, config, history, average, partial)
        except Exception:
            # What is half written would take the room that the next try needs.
            shutil.rmtree(partial, ignore_errors=True)
            raise
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for old in saved_steps(config.output)[: -config.num_checkpoints]:
            shutil.rmtree(old)
        if config.checkpoint_uri is not None:
            RemoteCheckpoints.at(config.checkpoint_uri).push(final, config.num_checkpoints)
    accelerator.wait_for_everyone()


def load_resumable(accelerator: Accelerator, config: LoopConfig, average: RunningAverage | None) -> History:
    """Restore the newest checkpoint, or start a new history.

    Raises:
        BadInputError: the newest checkpoint is of a run with other settings, data or starting weights.
        TrainingError: the bucket of checkpoints cannot be read.
    """
    if config.checkpoint_uri is not None and accelerator.is_local_main_process:
        _fetch(config, config.checkpoint_uri)
    accelerator.wait_for_everyone()
    found = saved_steps(config.output)
    if not found:
        return History(run_hash(config))
    history = History.load(found[-1])
    _check_unchanged(config, found[-1])
    accelerator.load_state(str(found[-1]))
    if average is not None:
        average.load(found[-1], _shard(accelerator))
    log.info("resuming at step %d from %s", history.step, found[-1])
    return history


def _write(
    accelerator: Accelerator, config: LoopConfig, history: History, average: RunningAverage | None, folder: Path
) -> None:
    accelerator.save_state(str(folder))
    if average is not None and (accelerator.is_main_process or _shard(accelerator)):
        average.save(folder, _shard(accelerator))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (folder / SETTINGS_NAME).write_text(json.dumps(run_settings(config)))
        history.save(folder)
        for path in folder.rglob("*"):
            _sync(path)


def _shard(accelerator: Accelerator) -> int:
    """Return which part of the average this process has; all have the whole where weights are not sharded."""
    return accelerator.process_index if accelerator.distributed_type.value == "FSDP" else 0


def _fetch(config: LoopConfig, uri: str) -> None:
    folder = config.output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    local = saved_steps(config.output)
    newest = int(local[-1].name.removeprefix("step-")) if local else 0
    with writing("a checkpoint of the bucket", folder, last_good_state(config.output)):
        fetched = RemoteCheckpoints.at(uri).pull_newest(folder, newer_than=newest)
    if fetched is not None:
        log.info("fetched %s from %s", fetched.name, uri)


def _check_unchanged(config: LoopConfig, checkpoint: Path) -> None:
    if not (checkpoint / SETTINGS_NAME).is_file():
        raise BadInputError(f"{checkpoint} was left by an earlier version: delete {checkpoint.parent} to start over")
    before: dict[str, Any] = json.loads((checkpoint / SETTINGS_NAME).read_text())
    now = json.loads(json.dumps(run_settings(config)))
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if changed:
        by_content = config.identity()
        names = ", ".join(
            name if name in by_content else f"{name} ({before.get(name)} then, {now.get(name)} now)" for name in changed
        )
        raise BadInputError(
            f"{checkpoint} is of a run with another {names}: put that back to resume it, or delete {checkpoint.parent} "
            "to start over"
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
