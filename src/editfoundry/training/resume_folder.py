"""Where a run's resumable checkpoints lie, and which of them are whole."""

from __future__ import annotations

from pathlib import Path

from editfoundry.training.history import FILE_NAME

FOLDER = ".resume"


def saved_steps(output: Path) -> list[Path]:
    """Return the complete resumable checkpoints under ``output``, oldest first."""
    found = (path.parent for path in (output / FOLDER).glob(f"step-*/{FILE_NAME}"))
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def last_good_state(output: Path) -> str:
    """Say which state a failed run can go on from."""
    saved = saved_steps(output)
    return f"the last good state is kept in {saved[-1]}" if saved else "no state was saved yet"
