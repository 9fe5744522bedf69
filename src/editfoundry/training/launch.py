"""Runs training as a process of its own, through ``accelerate launch``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from editfoundry.errors import BadInputError
from editfoundry.training.__main__ import OUTCOME_VARIABLE, failed
from editfoundry.training.config import TrainingConfig
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.finished import is_trained
from editfoundry.training.resume_folder import last_good_state


def launch_training(config_path: Path, num_processes: int | None = None, accelerate_config: Path | None = None) -> None:
    """Train as ``config_path`` says, in child processes; nothing is started where the checkpoint is there already.

    SIGINT and SIGTERM are passed on to the training processes, which save their state; this returns, by raising, only
    after the last of them has ended.

    Args:
        config_path: see `TrainingConfig.from_file`.
        num_processes: one per GPU; by default what ``accelerate config`` set, or one for each GPU there is. Without a
            GPU there is one process, which uses all cores; more of them share the cores.
        accelerate_config: what ``accelerate launch --config_file`` takes, for example of ``infra/accelerate``.

    Raises:
        BadInputError: the configuration, the data set or the editor cannot be used, or more processes than GPUs.
        TrainingInterrupted: stopped by a signal; running it again resumes.
        TrainingError: anything else; the message says what.
    """
    config = TrainingConfig.from_file(config_path)
    if accelerate_config is not None and not accelerate_config.is_file():
        raise BadInputError(f"{accelerate_config}: no such configuration of accelerate")
    if is_trained(config):
        return
    _check_num_processes(num_processes)
    with tempfile.TemporaryDirectory(prefix="editfoundry-training-") as folder:
        outcome = Path(folder) / "outcome"
        # A session of its own: a Ctrl-C on the terminal reaches the trainer once, through us.
        child = subprocess.Popen(
            _command(config_path, num_processes, accelerate_config),
            env={**os.environ, **_environment(num_processes, accelerate_config), OUTCOME_VARIABLE: str(outcome)},
            start_new_session=True,
        )
        with _signals_forwarded(child) as received:
            status = child.wait()
        if status:
            told = outcome.read_text() if outcome.exists() else ""
            raise failure_of(told, status, config.output, bool(received))


def _command(config_path: Path, num_processes: int | None, accelerate_config: Path | None) -> list[str]:
    module = ["-m", "editfoundry.training", str(config_path)]
    if accelerate_config is None and _shares_cores(num_processes):
        # Accelerate starts many processes for GPUs alone, with this very launcher.
        return [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={num_processes}",
        ] + module
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--quiet"]
    command += ["--num_cpu_threads_per_process", str(_num_threads(num_processes))]
    if accelerate_config is not None:
        command += ["--config_file", str(accelerate_config)]
    if num_processes is not None:
        command += ["--num_processes", str(num_processes)]
    elif accelerate_config is None and not _is_configured() and not _num_gpus():
        # What accelerate takes by default here, said aloud, so that it does not warn.
        command += ["--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return [*command, *module]


def _environment(num_processes: int | None, accelerate_config: Path | None) -> dict[str, str]:
    if accelerate_config is not None or not _shares_cores(num_processes):
        return {}
    return {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(_num_threads(num_processes))}


def _num_threads(num_processes: int | None) -> int:
    # Left alone, each process would have one thread.
    return int(os.environ.get("OMP_NUM_THREADS") or max(1, _num_cores() // (num_processes or 1)))


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


def failure_of(outcome: str, status: int, output: Path, interrupted: bool = False) -> BaseException:
    """Return the exception that a training process's end means.

    Args:
        outcome: what the process left in the file of ``OUTCOME_VARIABLE``; empty if nothing.
        status: its exit status.
        output: the checkpoint's folder.
        interrupted: whether a signal was passed on to it.
    """
    kind, _, message = outcome.partition("\n")
    if kind == "bad input":
        return BadInputError(message)
    if kind == "interrupted" or interrupted:
        return TrainingInterrupted(message or "stopped before the first step")
    if kind == "failed":
        return TrainingError(message)
    ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return TrainingError(
        f"training ended with {ended} and without a word: its output above says why, or one of its processes was "
        f"killed, as for lack of memory; {last_good_state(output)}, and the same command goes on from there"
    )


def main(arguments: list[str]) -> int:
    """Launch with a configuration and, optionally, a number of processes; return the exit status."""
    try:
        launch_training(Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else None)
    except BadInputError as error:
        return failed("bad input", 2, error)
    except TrainingError as error:
        return failed("failed", 1, error)
    except KeyboardInterrupt as error:
        return failed("interrupted", 130, error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
