"""How a training process tells why it ended: one line and an exit status, whoever started it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import linear_family
import pytest
import yaml

from editfoundry.errors import BadInputError, MissingModelError, NoSpaceError, UnavailableError
from editfoundry.execution.output_lock import output_lock
from editfoundry.training.ending import OUTCOME_VARIABLE, reporting_outcome
from editfoundry.training.failures import TrainingError, TrainingInterrupted


def failing(error: BaseException) -> object:
    def run() -> object:
        raise error

    return run


ENDINGS = {
    "bad input": (BadInputError("a.yaml: no\nsuch key"), 2, "bad input: a.yaml: no such key"),
    "missing model": (MissingModelError("role 'clip': gone"), 2, "bad input: role 'clip': gone"),
    "held": (UnavailableError("out: training is at work on it"), 1, "failed: out: training is at work on it"),
    "no space": (NoSpaceError("out: the disk is full"), 1, "failed: out: the disk is full"),
    "full disk": (OSError(errno.ENOSPC, "No space left on device"), 1, "the disk is full: make room"),
    "failed": (TrainingError("the loss is nan"), 1, "failed: the loss is nan"),
    "stopped": (TrainingInterrupted("after step 3"), 130, "interrupted: after step 3"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "interrupted: stopped"),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_every_error_of_ours_is_one_line_and_a_status(kind, capsys, monkeypatch):
    monkeypatch.delenv(OUTCOME_VARIABLE, raising=False)
    error, status, line = ENDINGS[kind]
    assert reporting_outcome(failing(error)) == status
    printed = capsys.readouterr().err
    assert line in printed and printed.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        reporting_outcome(failing(ZeroDivisionError()))


def test_a_trainer_whose_output_is_held_says_so_in_one_line(tmp_path: Path):
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({"family": "linear", "output": str(tmp_path / "out"), "num_steps": 1}))
    environment = {name: value for name, value in os.environ.items() if name != OUTCOME_VARIABLE}
    command = [sys.executable, str(Path(linear_family.__file__)), str(path)]
    with output_lock(tmp_path / "out", "another training"):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "out: another training is at work on it" in ended.stderr.splitlines()[-1]
