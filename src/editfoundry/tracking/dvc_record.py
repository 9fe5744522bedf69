"""Commits a stage in DVC, and pushes it, in one process: DVC takes as long to load as to do either.

DVC's own commands end well although objects could not be written to the cache, or are gone from the remote that was
pushed to once before; so what they should have done is looked for afterwards.
"""

from __future__ import annotations

import sys
from typing import Any

NOT_PUSHED = 75
"""Exit status: the commit is made, the push failed."""


def main(arguments: list[str]) -> int:
    """Record the stage ``arguments[0]``; with ``--push`` after it, push too. DVC says on stderr what went wrong."""
    from dvc.cli import main as dvc
    from dvc.repo import Repo

    stage, *options = arguments
    status = dvc(["--wait-for-lock", "commit", "--force", stage])
    if status:
        return int(status)
    with Repo() as repo:
        objects = _objects(repo, stage)
        if _tell_missing(objects, repo.cache.local, "DVC's cache", "is the disk full?"):
            return 1
        if "--push" not in options:
            return 0
        remote = repo.cloud.get_remote_odb()
        if not _has_bucket(remote):
            print(f"ERROR: {remote.path}: no such bucket; make it first", file=sys.stderr)
            return NOT_PUSHED
    return 0 if _push(stage, objects, remote) else NOT_PUSHED


def _push(stage: str, objects: set[str], remote: Any) -> bool:
    """Push, and once more where DVC's index of the remote knows of objects that are not there."""
    from dvc.cli import main as dvc
    from dvc_data.hashfile.db import get_index

    for is_last in (False, True):
        if dvc(["--wait-for-lock", "push", stage]):
            return False
        if not is_last and not _missing(objects, remote):
            return True
        get_index(remote).clear()
    return not _tell_missing(objects, remote, "the remote", "though DVC pushed them")


def _objects(repo: Any, stage: str) -> set[str]:
    """Return the hashes of a stage's outputs: files, folders, and what is in the folders."""
    from dvc_data.hashfile import load
    from dvc_data.hashfile.tree import Tree

    hashes: set[str] = set()
    for found in repo.stage.collect(stage):
        for out in found.outs:
            if not out.use_cache:
                continue
            hashes.add(out.hash_info.value)
            if not out.hash_info.isdir:
                continue
            try:
                folder = load(out.cache, out.hash_info)
            except FileNotFoundError:
                continue
            hashes |= {entry.value for _, _, entry in folder} if isinstance(folder, Tree) else set()
    return hashes


def _missing(objects: set[str], store: Any) -> set[str]:
    return objects - set(store.oids_exist(sorted(objects)))


def _tell_missing(objects: set[str], store: Any, where: str, hint: str) -> bool:
    missing = _missing(objects, store)
    if missing:
        print(f"ERROR: files and folders that are not in {where}: {len(missing)}; {hint}", file=sys.stderr)
    return bool(missing)


def _has_bucket(remote: Any) -> bool:
    """Return whether a remote's bucket is there; some servers would make one of a name that is misspelt."""
    if remote.fs.protocol != "s3":
        return True
    try:
        remote.fs.fs.call_s3("head_bucket", Bucket=remote.path.split("/")[0])
    except FileNotFoundError:
        return False
    except Exception:
        # No right to ask: the push itself will tell.
        return True
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
