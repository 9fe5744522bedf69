"""Whether the splits of a data set are apart: nothing of one split may be seen in another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from editfoundry.data.record import Triplet, short_hash
from editfoundry.data.shards import read_triplets, shard_paths
from editfoundry.data.storage import locate
from editfoundry.errors import BadInputError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One thing that more than one split holds."""

    what: str
    """``triplet``, ``input image`` or ``quadruple``."""
    value: str
    """Its id: first 16 hex digits of a sha256."""
    splits: tuple[str, ...]


def split_folders(folder: Path) -> dict[str, Path]:
    """Return the splits of a data set that have shards, in the order train, validation, test."""
    folder = locate(folder)
    return {name: folder / name for name in SPLITS if (folder / name).is_dir() and shard_paths(folder / name)}


def find_leaks(folder: Path) -> list[Leak]:
    """Return every triplet, input image and quadruple (input caption with instruction) that two splits share.

    Records are streamed; only 16-digit hashes are kept.

    Raises:
        BadInputError: there is no split to look at.
    """
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    folders = split_folders(folder)
    if not folders:
        raise BadInputError(f"{folder}: has no split ({', '.join(SPLITS)}) with shards, so nothing can be compared")
    for split, shards in folders.items():
        for triplet in read_triplets(shards):
            for key in _marks(triplet):
                seen[key].add(split)
    shared = ((key, splits) for key, splits in sorted(seen.items()) if len(splits) > 1)
    return [
        Leak(what=what, value=value, splits=tuple(name for name in SPLITS if name in splits))
        for (what, value), splits in shared
    ]


def _marks(triplet: Triplet) -> Iterator[tuple[str, str]]:
    yield "triplet", triplet.id
    yield "input image", short_hash(triplet.input_image.tobytes())
    if triplet.input_caption:
        yield "quadruple", short_hash(triplet.input_caption, triplet.instruction)
