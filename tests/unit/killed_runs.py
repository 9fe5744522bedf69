"""Runs of a stage that are killed at moments drawn by a seed, and then run again to the end.

A moment is an operation on a file of the output (opened, renamed, removed, folder made) or a step of the work, such as
a pass of a model. Runs are forked from one process that has done the work before, so that twenty take seconds:

    python killed_runs.py MODULE:FUNCTION FOLDER NUM ARGUMENT...

calls ``FUNCTION(output, *arguments)``: once undisturbed on ``FOLDER/whole``, and on ``FOLDER/00``, ``FOLDER/01``, ...
once until it is killed and once to its end. What the moments were is printed as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE, STEP = "file", "step"
_AUDITED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
_counts: Counter[str] = Counter()
_fatal: list[tuple[str, int]] = []


def tick(kind: str = STEP) -> None:
    """Count a moment; the process ends here where it is the fatal one."""
    _counts[kind] += 1
    if (kind, _counts[kind]) in _fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def killed_runs(file: str, function: str, folder: Path, num: int, *arguments: str) -> Any:
    """Run a function of a file as the module says; return each run's moment and whether it was killed."""
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, [Path(file).parent, here, here.parents[1] / "src"]))
    command = [sys.executable, __file__, f"{Path(file).stem}:{function}", str(folder), str(num), *arguments]
    env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return a finished output's files, without its lock."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".lock"}


def _forked(run: Callable[[], None]) -> int:
    """Return the exit status of a forked process that does the work."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        run()
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def _main(work: str, folder: Path, num: int, arguments: list[str]) -> list[dict[str, Any]]:
    module, _, name = work.partition(":")
    do = getattr(importlib.import_module(module), name)

    def audited(event: str, given: tuple[Any, ...]) -> None:
        if event in _AUDITED and isinstance(given[0], str | os.PathLike) and str(folder) in os.fspath(given[0]):
            tick(FILE)

    def run(output: Path, *fatal: tuple[str, int]) -> None:
        _counts.clear()
        _fatal[:] = fatal
        do(output, *arguments)

    sys.addaudithook(audited)
    run(folder / "whole")
    counts = dict(_counts)
    draw, told = random.Random(0), []
    for number in range(num):
        kind = sorted(counts)[number % len(counts)]
        moment, output = (kind, draw.randint(1, counts[kind])), folder / f"{number:02}"
        status = _forked(lambda output=output, moment=moment: run(output, moment))  # type: ignore[misc]
        is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert _forked(lambda output=output: run(output)) == 0, f"{output} was not finished"  # type: ignore[misc]
        told.append({"moment": moment, "is_killed": is_killed})
    return told


if __name__ == "__main__":
    # So that `tick` of whoever imports this file counts here.
    sys.modules["killed_runs"] = sys.modules["__main__"]
    where, how_many = Path(sys.argv[2]).resolve(), int(sys.argv[3])
    where.mkdir(parents=True, exist_ok=True)
    print(json.dumps(_main(sys.argv[1], where, how_many, sys.argv[4:])))
