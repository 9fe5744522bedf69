"""How a training process tells the one that launched it why it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from editfoundry.data.atomic import is_out_of_space
from editfoundry.errors import BadInputError, UnavailableError, one_line
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.resume_folder import last_good_state

OUTCOME_VARIABLE = "EDITFOUNDRY_TRAINING_OUTCOME"
"""Environment variable: a file that the reason of a failure is written to."""
_BAD_INPUT, _FAILED, _INTERRUPTED = "bad input", "failed", "interrupted"


def reporting_outcome(run: Callable[[], object]) -> int:
    """Call ``run``, and return the exit status: 0 done, 2 bad input, 130 interrupted, 1 anything else.

    Why it failed is left where the launching process looks, which tells it; without one it is printed in one line.
    """
    try:
        run()
    except BadInputError as error:
        return _failed(_BAD_INPUT, 2, error)
    except (TrainingError, UnavailableError) as error:
        return _failed(_FAILED, 1, error)
    except KeyboardInterrupt as error:
        return _failed(_INTERRUPTED, 130, error if isinstance(error, TrainingInterrupted) else "stopped")
    except Exception as error:
        if not is_out_of_space(error):
            raise
        hint = "the disk is full: make room, then run the same command again"
        return _failed(_FAILED, 1, f"{one_line(error)}; {hint}")
    return 0


def _failed(kind: str, status: int, message: object) -> int:
    is_first_process = os.environ.get("RANK", "0") == "0"
    if is_first_process and OUTCOME_VARIABLE in os.environ:
        Path(os.environ[OUTCOME_VARIABLE]).write_text(f"{kind}\n{message}")
    elif is_first_process:
        print(f"{kind}: {one_line(message)}", file=sys.stderr)
    return status


def failure_of(outcome: str, status: int, output: Path, interrupted: bool = False) -> BaseException:
    """Return the exception that a training process's end means.

    Args:
        outcome: what the process left in the file of ``OUTCOME_VARIABLE``; empty if nothing.
        status: its exit status.
        output: the checkpoint's folder.
        interrupted: whether a signal was passed on to it.
    """
    kind, _, message = outcome.partition("\n")
    if kind == _BAD_INPUT:
        return BadInputError(message)
    if kind == _INTERRUPTED or interrupted:
        return TrainingInterrupted(message or "stopped before the first step")
    if kind == _FAILED:
        return TrainingError(message)
    ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return TrainingError(
        f"training ended with {ended} and without a word: its output above says why, or one of its processes was "
        f"killed, as for lack of memory; {last_good_state(output)}, and the same command goes on from there"
    )
