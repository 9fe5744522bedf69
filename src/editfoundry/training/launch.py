"""Runs training as a process of its own; through ``accelerate launch`` but where that would start one on a CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from editfoundry.errors import BadInputError
from editfoundry.training.ending import OUTCOME_VARIABLE, failure_of
from editfoundry.training.owners import owners_environment


def launch_module(
    module: str,
    config_path: Path,
    output: Path,
    num_processes: int | None = None,
    accelerate_config: Path | None = None,
    arguments: Sequence[str] = (),
) -> None:
    """Run ``python -m MODULE CONFIG`` in child processes: with GPUs or settings of accelerate, ``accelerate launch``.

    SIGINT and SIGTERM are passed on to the training processes, which save their state; this returns, by raising, only
    after the last of them has ended. Where this process is killed, they save and end by themselves.

    Args:
        module: trains as its only argument says, and tells its end by `reporting_outcome`.
        config_path: that argument.
        output: folder of the finished checkpoint, for messages.
        num_processes: one per GPU; by default what ``accelerate config`` set, or one for each GPU there is. Without a
            GPU there is one process, which uses all cores; more of them share the cores.
        arguments: what the module is told behind the configuration.
        accelerate_config: what ``accelerate launch --config_file`` takes, for example of ``infra/accelerate``.

    Raises:
        BadInputError: the configuration or the data cannot be used, or more processes than GPUs.
        TrainingInterrupted: stopped by a signal; running it again resumes.
        TrainingError: anything else; the message says what.
    """
    if accelerate_config is not None and not accelerate_config.is_file():
        raise BadInputError(f"{accelerate_config}: no such configuration of accelerate")
    _check_num_processes(num_processes)
    environment = {**os.environ, **_environment(num_processes, accelerate_config), **owners_environment()}
    with tempfile.TemporaryDirectory(prefix="editfoundry-training-") as folder:
        outcome = Path(folder) / "outcome"
        # A session of its own: a Ctrl-C on the terminal reaches the trainer once, through us.
        child = subprocess.Popen(
            _command([module, str(config_path), *arguments], num_processes, accelerate_config),
            env={**environment, OUTCOME_VARIABLE: str(outcome)},
            start_new_session=True,
        )
        with _signals_forwarded(child) as received:
            status = child.wait()
        if status:
            told = outcome.read_text() if outcome.exists() else ""
            raise failure_of(told, status, output, bool(received))


def _command(module: list[str], num_processes: int | None, accelerate_config: Path | None) -> list[str]:
    if accelerate_config is None and _shares_cores(num_processes):
        # Accelerate starts many processes for GPUs alone, with this very launcher.
        launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
        return [sys.executable, "-m", *launcher, "-m", *module]
    if _is_alone(num_processes, accelerate_config):
        # The launcher would take seconds to come to the same.
        return [sys.executable, "-m", *module]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--quiet"]
    command += ["--num_cpu_threads_per_process", str(_num_threads(num_processes))]
    if accelerate_config is not None:
        command += ["--config_file", str(accelerate_config)]
    if num_processes is not None:
        command += ["--num_processes", str(num_processes)]
    return [*command, "-m", *module]


def _environment(num_processes: int | None, accelerate_config: Path | None) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(_num_threads(num_processes))}
    if accelerate_config is None and _shares_cores(num_processes):
        return {"ACCELERATE_USE_CPU": "true", **threads}
    # What this process computes on, accelerate finds out: a Mac has a GPU that is none of CUDA's.
    return threads if _is_alone(num_processes, accelerate_config) else {}


def _num_threads(num_processes: int | None) -> int:
    # Left alone, each process would have one thread.
    return int(os.environ.get("OMP_NUM_THREADS") or max(1, _num_cores() // (num_processes or 1)))


def _is_alone(num_processes: int | None, accelerate_config: Path | None) -> bool:
    """Whether there is one process, on no GPU of CUDA's, and nobody has told accelerate anything."""
    return num_processes in (None, 1) and accelerate_config is None and not _num_gpus() and not _is_configured()


def _shares_cores(num_processes: int | None) -> bool:
    return num_processes is not None and num_processes > 1 and not _num_gpus()


def _check_num_processes(num_processes: int | None) -> None:
    if num_processes is None or num_processes == 1:
        return
    gpus = _num_gpus()
    found, what = (gpus, "GPUs") if gpus else (_num_machine_cores(), "cores and no GPU")
    if not 1 < num_processes <= found:
        raise BadInputError(f"num_processes is {num_processes}, but torch sees {found} {what} here: leave it out")


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _is_configured() -> bool:
    from accelerate.commands.config.config_args import default_config_file

    return os.path.isfile(default_config_file)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _signals_forwarded(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Yield the list of signals that came and were passed on; only the main thread of a process can receive any."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        _signal_workers(child.pid, number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_workers(launcher: int, number: int) -> None:
    """Signal the training processes, so that the launcher outlives them; before there are any, the launcher."""
    import psutil

    try:
        process = psutil.Process(launcher)
        for worker in process.children(recursive=True) or [process]:
            worker.send_signal(number)
    except psutil.NoSuchProcess:
        pass


def _num_machine_cores() -> int:
    # Two processes can always take turns, as the tests' do.
    return max(2, os.cpu_count() or 1)
