"""Says in one line what failed while a run wrote to its folder, and which state is still good."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from editfoundry.errors import NoSpaceError, one_line
from editfoundry.training.failures import TrainingError, is_lost_process

_WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
"""What torch, safetensors and Python raise where a disk is full; a full disk is seldom called by its name."""


@contextmanager
def writing(
    what: str, folder: Path, kept: str, errors: type[Exception] | tuple[type[Exception], ...] = _WRITE_ERRORS
) -> Iterator[None]:
    """Turn a failed write inside the ``with`` block into one clear line.

    Args:
        what: is written, for example ``the state of step 500``.
        folder: it goes to.
        kept: what is still there to go on from.
        errors: those that a failed write raises here.

    Raises:
        TrainingError: it could not be written.
    """
    caught: tuple[type[Exception], ...] = (NoSpaceError, *(errors if isinstance(errors, tuple) else (errors,)))
    try:
        yield
    except caught as error:
        if is_lost_process(error):
            raise
        reason = one_line(error, 200)
        raise TrainingError(
            f"{what} cannot be written to {folder} ({reason}; {_free(folder)} free there): free some space and run the "
            f"same command again; {kept}"
        ) from error


def _free(folder: Path) -> str:
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    return f"{shutil.disk_usage(existing).free / 2**20:.0f} MiB"
