"""Opens the model of a role by whatever library, with one clear line where that cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from editfoundry.errors import BadInputError, MissingModelError, one_line
from editfoundry.pretrained.checkpoint_configs import check_configs
from editfoundry.pretrained.runtime import quiet_libraries
from editfoundry.profiles import ModelReference, missing_model


@contextmanager
def opening(reference: ModelReference, kind: str) -> Iterator[dict[str, Any]]:
    """Check a model's folder, then yield the options that every ``from_pretrained`` of it is called with.

    Args:
        reference: the model; the configurations of a folder are checked before the body runs.
        kind: what it is opened as, for messages.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: the folder asks for what no model has, or the body raised because its files contradict each
            other.
    """
    quiet_libraries()
    folder = Path(reference.location)
    if folder.is_dir():
        check_configs(folder / reference.subfolder)
    try:
        yield {"revision": reference.revision, "local_files_only": reference.is_local}
    except (BadInputError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # Whatever a library raises for a folder whose files contradict each other.
        if not folder.is_dir():
            if isinstance(error, (OSError, ValueError)):
                raise missing_model(reference, error) from error
            raise
        # A file that is not there is a part of the model that is not; anything else is damage.
        told = MissingModelError if isinstance(error, OSError) else BadInputError
        reason = one_line(f"{type(error).__name__}: {error}", 300)
        raise told(f"role {reference.role!r}: {reference.location}: cannot be loaded as {kind} ({reason})") from error
