"""Files and folders that are either there in full or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from editfoundry.data.output_folder import check_claim, claim_output, place_for
from editfoundry.data.storage import require_on_disk
from editfoundry.errors import BadInputError, NoSpaceError

_OUT_OF_SPACE = ("No space left on device", "Disk quota exceeded", "database or disk is full", "(os error 27)")


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a hidden temporary file beside ``path`` that takes its place, synced to disk, when the block ends well.

    When the block raises, the temporary file is removed and ``path`` stays as it was. What a killed process left
    behind is hidden, and removed by the next writer of the same path.

    Raises:
        BadInputError: no file can be made at ``path``, or it is a folder.
        NoSpaceError: the disk is full.
    """
    if os.path.isdir(path):
        raise BadInputError(f"{path}: is a folder where an output file should be; give another path")
    with room_for(path):
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        with place_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            opened = partial.open("wb")
        try:
            with opened as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            with place_for(path):
                os.replace(partial, path)
            _sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, stage: str) -> Iterator[Path]:
    """Give a hidden folder beside ``path`` that takes its place, marked as ``stage``'s, when the block ends well.

    What ``stage`` put there before is replaced as a whole; when the block raises, it stays.

    Raises:
        BadInputError: ``path`` holds something that ``stage`` did not make, or no folder can be made there.
        NoSpaceError: the disk is full.
    """
    require_on_disk(path)
    path = Path(path).resolve()
    with place_for(path):
        restore_folder(path)
    check_claim(path, stage)
    with room_for(path):
        with place_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
            partial.mkdir(exist_ok=True)
        try:
            claim_output(partial, stage)
            yield partial
            with place_for(path):
                _swap(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Raise NoSpaceError, which names ``path``, where the block ends because a disk is full or a quota used up."""
    try:
        yield
    except NoSpaceError:
        raise
    except Exception as error:
        if not is_out_of_space(error):
            raise
        free = _free_mebibytes(path)
        told = f"{path}: cannot be written: the disk is full or a quota is used up{free}"
        raise NoSpaceError(f"{told}; make room there, then run the same command again") from error


def is_out_of_space(error: BaseException | None) -> bool:
    """Return whether an error, or what it was raised from, is a full disk, a used-up quota or a file-size limit.

    Libraries in other languages (safetensors, SQLite, torch) say so in words alone.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        if any(words in str(error) for words in _OUT_OF_SPACE):
            return True
        error = error.__cause__ or error.__context__
    return False


def _free_mebibytes(path: Path) -> str:
    folder = next((f for f in path.parents if f.is_dir()), None)
    return f" ({shutil.disk_usage(folder).free / 2**20:.0f} MiB are free)" if folder else ""


def restore_folder(path: Path) -> None:
    """Put back what `atomic_folder` had put aside when it was killed before the new folder took the place."""
    path = Path(path).resolve()
    for aside in path.parent.glob(f".{path.name}.*.replaced"):
        if not _is_left_over(aside):
            continue
        if path.exists():
            shutil.rmtree(aside)
        else:
            os.replace(aside, path)


def _swap(partial: Path, path: Path) -> None:
    """Put ``partial`` in the place of ``path``; one of the two is there at every moment, if under another name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.replaced")
    if path.exists():
        os.replace(path, aside)
    try:
        os.replace(partial, path)
    except OSError:
        if aside.exists():
            os.replace(aside, path)
        raise
    _sync_folder(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(path: Path) -> None:
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        if not _is_left_over(partial):
            continue
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def _is_left_over(path: Path) -> bool:
    pid = path.name.split(".")[-2]
    return pid.isdigit() and not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A leftover of this very process would be a leftover of an earlier one that had its number.
    return pid != os.getpid()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
