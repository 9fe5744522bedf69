"""Finds videos in a folder by their ids, and tells whether a file is still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from editfoundry.data.videos import VIDEO_SUFFIXES
from editfoundry.errors import BadInputError

_PROBE = 2**20
"""Bytes of either end that a fingerprint depends on; hashing whole films would take longer than mining them."""


def video_files(folder: Path) -> list[Path]:
    """Return all videos of a folder and the folders in it, sorted by path; links that lead out of it are left out.

    Raises:
        BadInputError: no such folder.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder of videos")
    root = folder.resolve()
    found = (path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.name[0] != ".")
    return sorted(path for path in found if path.is_file() and path.resolve().is_relative_to(root))


def videos_by_id(folder: Path) -> Mapping[str, Path]:
    """Return id -> file; a file's id is its name without suffix, or what stands in brackets at its end (yt-dlp)."""
    by_id: dict[str, Path] = {}
    for path in video_files(folder):
        by_id.setdefault(path.stem, path)
        if path.stem.endswith("]") and "[" in path.stem:
            by_id.setdefault(path.stem[path.stem.rindex("[") + 1 : -1], path)
    return by_id


def fingerprint(path: Path) -> str:
    """Return 16 hex digits that depend on the file's length, its first and its last mebibyte."""
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(8, "big"))
    with path.open("rb") as file:
        digest.update(file.read(_PROBE))
        file.seek(max(0, size - _PROBE))
        digest.update(file.read(_PROBE))
    return digest.hexdigest()[:16]
