"""Finds triplets whose pictures are not in their shard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from editfoundry.data.index import read_checked_rows, read_member, shards_of
from editfoundry.errors import BadInputError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def find_missing_images(folder: Path, limit: int = 20) -> list[str]:
    """Return what is missing, one line each, at most ``limit``: no shard is decoded, each picture's start is read.

    Args:
        folder: shards of triplets.
        limit: lines at most.
    """
    return list(islice(_missing(folder), limit))


def _missing(folder: Path) -> Iterator[str]:
    for tar in shards_of(folder):
        try:
            rows = read_checked_rows(tar)
        except BadInputError as error:
            yield str(error)
            continue
        for row in rows:
            for role in ("input", "output"):
                if not _is_png(tar, row[f"{role}_offset"], row[f"{role}_length"]):
                    yield f"{tar.name}: record {row['id']} has no {role} picture"


def _is_png(tar: Path, offset: int | None, length: int | None) -> bool:
    if offset is None or length is None or length <= len(PNG_SIGNATURE):
        return False
    return read_member(tar, offset, len(PNG_SIGNATURE)) == PNG_SIGNATURE
