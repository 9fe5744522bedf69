"""Whether shards still hold the pictures that their indexes speak of, looked at once for each state of their bytes."""

from __future__ import annotations

import json
from pathlib import Path

from editfoundry.data.atomic import atomic_file
from editfoundry.data.hashing import file_hash
from editfoundry.data.index import shards_of
from editfoundry.data.s3_client import s3_client
from editfoundry.data.s3_path import S3Path
from editfoundry.data.shards import read_triplets


def verify_shard(tar: Path) -> int:
    """Decode every triplet of a shard, or of a folder's shards, and return how many there are.

    Raises:
        BadInputError: a tar is cut, an index points elsewhere, or a picture is not the one that the index's id, a hash
            of the instruction and both pictures' pixels, was made of.
    """
    return sum(1 for _ in read_triplets(tar))


def verify_once(dataset: Path, record: Path) -> None:
    """Verify the shards of a data set whose bytes ``record`` does not know, and write down those that it knows then.

    What was derived from the data set, a cache of latents for instance, keeps ``record`` beside it. Shards of an
    unchanged data set are read, since their bytes are hashed, but not decoded.

    Args:
        dataset: a folder of shards, or one shard.
        record: JSON file, made if absent.

    Raises:
        BadInputError: see `verify_shard`.
    """
    known = _read_record(record)
    marks = {tar.name: _mark(tar) for tar in shards_of(dataset)}
    for tar in shards_of(dataset):
        if known.get(tar.name) != marks[tar.name]:
            verify_shard(tar)
    if marks != known:
        with atomic_file(record) as file:
            file.write(json.dumps(marks, indent=1, sort_keys=True).encode())


def _mark(tar: Path) -> str:
    """Return what changes with the tar's bytes: their sha256, or in S3 the object's ETag, for which nothing is read."""
    if isinstance(tar, S3Path):
        return str(s3_client().head_object(Bucket=tar.bucket, Key=tar.key)["ETag"])
    return file_hash(tar) if tar.is_file() else ""


def _read_record(record: Path) -> dict[str, str]:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
