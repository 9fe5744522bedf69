"""Checkpoints to resume from, ``<output>/.resume/step-N``: written aside, then renamed; the last two are kept."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from accelerate import Accelerator

from editfoundry.training.history import FILE_NAME, History

log = logging.getLogger(__name__)

FOLDER = ".resume"
NUM_KEPT = 2


def save_resumable(accelerator: Accelerator, output: Path, history: History) -> None:
    """Save models, optimizer, average and history; every process calls this at the same step."""
    folder = output / FOLDER
    partial = folder / f".step-{history.step}.partial"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        history.save(partial)
        final = folder / f"step-{history.step}"
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for old in saved_steps(output)[:-NUM_KEPT]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def load_resumable(accelerator: Accelerator, output: Path, run_hash: str) -> History:
    """Restore the newest checkpoint of the same run, or start a new history and drop another run's checkpoints."""
    found = saved_steps(output)
    if found and History.load(found[-1]).run_hash == run_hash:
        history = History.load(found[-1])
        accelerator.load_state(str(found[-1]))
        log.info("resuming at step %d from %s", history.step, found[-1])
        return history
    accelerator.wait_for_everyone()
    if accelerator.is_main_process and found:
        log.info("%s belongs to a run with other settings or data: starting over", output / FOLDER)
        shutil.rmtree(output / FOLDER)
    accelerator.wait_for_everyone()
    return History(run_hash)


def saved_steps(output: Path) -> list[Path]:
    """Return the complete resumable checkpoints under ``output``, oldest first."""
    found = (path.parent for path in (output / FOLDER).glob(f"step-*/{FILE_NAME}"))
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))
