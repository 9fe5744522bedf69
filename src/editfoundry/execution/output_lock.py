"""One writer for an output folder at a time: a file beside it names the owner, whose heartbeat keeps it.

A second starter is told who is at work. The lock of an owner that died is taken over: at once on the same machine,
where its process is gone, and elsewhere when its heart has not beaten for two minutes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from editfoundry.data.output_folder import MARKER, place_for
from editfoundry.data.running_process import is_running, started_at
from editfoundry.data.storage import require_on_disk
from editfoundry.errors import UnavailableError

BEAT_SECONDS = 10.0
DEAD_AFTER_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class LockOwner:
    """Who holds a lock, as its file says."""

    stage: str
    host: str
    process_space: str
    """In which process ids are told apart: two containers on one host may have different ones."""
    pid: int
    started: float
    """When the process started, in seconds since the epoch: ids are used again."""
    since: str
    """When the lock was taken."""
    token: str

    @classmethod
    def of_this_process(cls, stage: str) -> LockOwner:
        """Describe this process as an owner."""
        return cls(
            stage=stage,
            host=socket.gethostname(),
            process_space=_process_space(),
            pid=os.getpid(),
            started=started_at(os.getpid()) or 0.0,
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            token=uuid4().hex,
        )

    def is_alive(self, silent_seconds: float) -> bool:
        """Return whether the owner is still at work; it last gave a sign of life so many seconds ago."""
        if (self.host, self.process_space) == (socket.gethostname(), _process_space()):
            return is_running(self.pid, self.started)
        return silent_seconds < DEAD_AFTER_SECONDS


@contextmanager
def output_lock(folder: Path, stage: str, shard: str | None = None) -> Iterator[None]:
    """Hold an output folder while the block runs, or one of its shards alone.

    Several shards may be held at once, each by one owner; the folder only while none of them is.

    Args:
        folder: the output, which need not be there yet.
        stage: who writes.
        shard: name of the only shard that is written.

    Raises:
        BadInputError: no folder can be made there.
        UnavailableError: somebody else is at work on it.
    """
    require_on_disk(folder)
    with place_for(folder):
        folder = folder.resolve()
        folder.parent.mkdir(parents=True, exist_ok=True)
        place, owner = lock_path(folder, shard), LockOwner.of_this_process(stage)
        _take(folder, shard, place, owner)
    stopped = threading.Event()
    heart = threading.Thread(target=_beat, args=(place, owner, stopped), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stopped.set()
        heart.join()
        with _one_at_a_time(folder.parent):
            if _owner(place) == owner:
                place.unlink(missing_ok=True)


def lock_path(folder: Path, shard: str | None = None) -> Path:
    """Return where the lock lies: beside the folder, so that neither DVC nor a copy of the folder takes it along."""
    end = f"{'' if shard is None else '@' + shard}.lock"
    # A folder that is mounted in one that is not ours.
    if folder.is_dir() and not os.access(folder.parent, os.W_OK):
        return folder / f"{MARKER}{end}"
    return folder.with_name(f".{folder.name}{end}")


def _take(folder: Path, shard: str | None, place: Path, owner: LockOwner) -> None:
    partial = place.with_name(f"{place.name}.{owner.token}.partial")
    try:
        partial.write_text(json.dumps(asdict(owner)), encoding="utf-8")
        with _one_at_a_time(folder.parent):
            # The file system's clock, which all who share it agree on.
            now = partial.stat().st_mtime
            for other in _rivals(folder, shard):
                _require_dead(folder, other, now)
                other.unlink(missing_ok=True)
            os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)


def _rivals(folder: Path, shard: str | None) -> list[Path]:
    """Return the locks that exclude this one: of the folder and of the shard, or of every shard."""
    if shard is not None:
        return [path for path in (lock_path(folder), lock_path(folder, shard)) if path.exists()]
    own = lock_path(folder)
    start = own.name.removesuffix(".lock") + "@"
    shards = [p for p in own.parent.iterdir() if p.name.startswith(start) and p.name.endswith(".lock")]
    return [path for path in (own, *shards) if path.exists()]


def _require_dead(folder: Path, lock: Path, now: float) -> None:
    try:
        silent = now - lock.stat().st_mtime
    except FileNotFoundError:
        return
    owner = _owner(lock)
    if owner is None:
        if silent >= DEAD_AFTER_SECONDS:
            return
        raise UnavailableError(f"{folder}: locked by {lock.name}, which names no owner; remove it if nobody is at work")
    if owner.is_alive(silent):
        raise UnavailableError(
            f"{folder}: {owner.stage} is at work on it (process {owner.pid} on {owner.host}, since {owner.since}); "
            "wait for it to end, or stop it"
        )


def _owner(lock: Path) -> LockOwner | None:
    try:
        return LockOwner(**json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _beat(place: Path, owner: LockOwner, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError):
            if _owner(place) == owner:
                os.utime(place)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time look at the locks of a folder's children and change them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # A network file system may not know locks of folders; then two starters in one instant are not told apart.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _process_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
