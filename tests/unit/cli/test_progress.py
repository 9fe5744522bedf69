import os
import pty
import re
import subprocess
import sys
import time

import pytest
import typer

from editfoundry.cli import app, progress
from editfoundry.cli.progress import GROUPS, _Work, heartbeat, heartbeat_of_command, progress_bar

COUNTED = "from editfoundry.cli.progress import progress_bar\nwith progress_bar('shards') as tell: tell(1, 4)\n"


def wait_for(capsys, pattern, seconds=10.0):
    """Return what stderr says once it holds ``pattern``."""
    said, deadline = "", time.monotonic() + seconds
    while not re.search(pattern, said) and time.monotonic() < deadline:
        time.sleep(0.01)
        said += capsys.readouterr().err
    assert re.search(pattern, said), said
    return said


def test_in_a_pipe_a_line_says_how_much_is_done_how_fast_and_how_long_it_takes_yet(capsys):
    with heartbeat("quadruples", seconds=0.01, first_seconds=0.01), progress_bar("shards") as tell:
        wait_for(capsys, r"shards: 0 s so far\n")
        tell(3, 10)
        wait_for(capsys, r"shards: 3 of 10, 0 s so far\n")
        time.sleep(0.05)
        tell(4, 10)
        wait_for(capsys, r"shards: 4 of 10, [\d.]+/(s|min), \d+ s left\n")
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_what_was_said_is_not_said_again(capsys):
    with heartbeat("curate", seconds=0.01, first_seconds=0.01):
        said = wait_for(capsys, r"curate: 0 s so far\n")
        time.sleep(0.2)
    assert (said + capsys.readouterr().err).splitlines().count("curate: 0 s so far") == 1


def test_speed_counts_only_what_was_done_since_the_start():
    work = _Work("shards", started=0.0, first=(0.0, 80))
    work.done, work.total = 90, 100
    assert work.line(100.0) == "shards: 90 of 100, 6.0/min, 2 min left"
    work.first = (0.0, 0)
    assert work.line(10.0) == "shards: 90 of 100, 9.0/s, 1 s left"
    work.done = 100
    assert work.line(120.0) == "shards: 100 of 100, 2 min so far"
    work.done = 0
    assert work.line(7200.0) == "shards: 0 of 100, 2.0 h so far"


def test_the_speed_of_the_next_of_several_things_is_its_own(monkeypatch):
    work = _Work("edits", started=0.0)
    for now, done in ((0.0, 0), (10.0, 100), (500.0, 0), (510.0, 40)):
        monkeypatch.setattr(progress.time, "monotonic", lambda now=now: now)
        work.tell(done, 100)
    assert work.line(520.0) == "edits: 40 of 100, 2.0/s, 30 s left"


def test_a_command_without_a_bar_says_how_long_it_has_been_at_it(capsys):
    with heartbeat_of_command(["curate", "data/triplets", "data/dataset"], seconds=0.01):
        wait_for(capsys, r"curate: 0 s so far\n")


def test_a_command_of_a_group_is_named_with_its_group(capsys):
    with heartbeat_of_command(["tinyworld", "measure", "clip"], seconds=0.01):
        wait_for(capsys, r"^tinyworld measure: 0 s so far\n")


def test_every_group_of_commands_is_known_as_one():
    groups = {name for name, command in typer.main.get_command(app).commands.items() if hasattr(command, "commands")}
    assert groups <= {*GROUPS}


@pytest.mark.parametrize("line", ["ui", "train params.yaml", "demo", "tinyworld pretrain clip", "--help", ""])
def test_commands_that_speak_for_themselves_have_no_heartbeat(line):
    with heartbeat_of_command(line.split()):
        assert not progress._works


def test_a_quick_command_prints_nothing_in_a_pipe_and_draws_a_bar_on_a_terminal():
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", COUNTED], env=environment, capture_output=True, check=True)
    assert done.stdout == done.stderr == b""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", COUNTED], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert "shards" in drawn and "1/4" in drawn
