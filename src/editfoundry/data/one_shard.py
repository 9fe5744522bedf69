"""Lets a stage work on one of its input's shards, as a partition of a backfill does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from editfoundry.errors import BadInputError


def chosen_shards(paths: Sequence[Path], only: str | None) -> list[Path]:
    """Return all shards, or the one whose stem is ``only``.

    Raises:
        BadInputError: there is none of that name.
    """
    chosen = [path for path in paths if only in (None, path.stem)]
    if not chosen:
        raise BadInputError(f"{paths[0].parent}: no shard {only!r}; run the stage before it for that shard first")
    return chosen
