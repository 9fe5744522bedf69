"""One writer at a time, with real processes: starters at once, killed owners, several shards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_stages import Capitals, write_captions

from editfoundry.errors import UnavailableError
from editfoundry.execution import output_lock as module
from editfoundry.execution.output_lock import LockOwner, lock_path, output_lock
from editfoundry.execution.runner import run_stage

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from pathlib import Path
from toy_stages import Capitals
from editfoundry.errors import UnavailableError
from editfoundry.execution.runner import run_stage

source, output, seconds, *only = sys.argv[1:]
print("started", flush=True)
try:
    run_stage(Capitals(Path(source), seconds=float(seconds)), Path(output), only=only[0] if only else None)
except UnavailableError as error:
    print(error)
    sys.exit(3)
"""


def start(source, output, seconds, *only):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests" / "unit")))}
    command = [sys.executable, "-c", RUN, str(source), str(output), str(seconds), *only]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def source(tmp_path):
    return write_captions(tmp_path / "in", ["a cat", "a bad cat"], ["a hen"], ["an owl"])


def test_of_four_starters_at_once_one_works_and_three_are_told_who(source, tmp_path):
    output = tmp_path / "out"
    starters = [start(source, output, 0.8) for _ in range(4)]
    texts = [starter.communicate(timeout=120)[0] for starter in starters]
    codes = sorted(starter.returncode for starter in starters)
    winner = next(starter for starter in starters if starter.returncode == 0)
    assert codes == [0, 3, 3, 3]
    told = [text for text in texts if "at work" in text]
    assert len(told) == 3 and all(f"capitals is at work on it (process {winner.pid} on " in text for text in told)
    assert run_stage(Capitals(source), output).num_shards_reused == 3
    assert not list(tmp_path.glob(".*lock*"))


def test_a_killed_owners_folder_is_taken_over_at_once_and_ends_with_the_same_bytes(source, tmp_path):
    output = tmp_path / "out"
    killed = start(source, output, 0.5)
    wait_for(output / "00000.parquet")
    with pytest.raises(UnavailableError, match=f"process {killed.pid} on .*wait for it to end, or stop it"):
        run_stage(Capitals(source), output)
    killed.send_signal(signal.SIGKILL)
    # Its parent has not asked for its exit status yet: the process is gone all the same.
    time.sleep(0.2)
    assert lock_path(output).exists()
    assert run_stage(Capitals(source), output).num_shards_reused >= 1
    killed.wait()
    run_stage(Capitals(source), tmp_path / "whole")
    assert files(output) == files(tmp_path / "whole") and not lock_path(output).exists()


def test_two_shards_of_one_folder_are_made_at_once_by_two_processes(source, tmp_path):
    output = tmp_path / "out"
    both = [start(source, output, 1.0, name) for name in ("00000", "00001")]
    wait_for(lock_path(output, "00000"))
    wait_for(lock_path(output, "00001"))
    with pytest.raises(UnavailableError, match="capitals is at work on it"):
        run_stage(Capitals(source), output)
    with pytest.raises(UnavailableError, match="capitals is at work on it"):
        run_stage(Capitals(source), output, only="00000")
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert run_stage(Capitals(source), output).num_shards_reused == 2


def test_an_owner_on_another_machine_keeps_its_lock_while_its_heart_beats(tmp_path, monkeypatch):
    output = tmp_path / "out"
    owner = LockOwner.of_this_process("captions")
    elsewhere = {**vars(owner), "host": "elsewhere", "pid": 1}
    lock_path(output).write_text(json.dumps(elsewhere))
    with (
        pytest.raises(UnavailableError, match="captions is at work on it .process 1 on elsewhere"),
        output_lock(output, "x"),
    ):
        pass
    long_ago = time.time() - module.DEAD_AFTER_SECONDS - 5
    os.utime(lock_path(output), (long_ago, long_ago))
    with output_lock(output, "x"):
        assert json.loads(lock_path(output).read_text())["pid"] == os.getpid()
    assert not lock_path(output).exists()


def test_the_heart_beats_while_the_folder_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    with output_lock(tmp_path / "out", "captions"):
        os.utime(lock_path(tmp_path / "out"), (0, 0))
        deadline = time.monotonic() + 10
        while lock_path(tmp_path / "out").stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_an_id_that_another_process_has_now_is_no_owner(tmp_path):
    output = tmp_path / "out"
    owner = {**vars(LockOwner.of_this_process("captions")), "started": 1.0}
    lock_path(output).write_text(json.dumps(owner))
    with output_lock(output, "captions"):
        pass


def test_a_lock_that_names_nobody_is_said_so_and_taken_when_it_is_old(tmp_path):
    output = tmp_path / "out"
    lock_path(output).write_text("")
    with pytest.raises(UnavailableError, match="names no owner; remove it"), output_lock(output, "captions"):
        pass
    os.utime(lock_path(output), (1, 1))
    with output_lock(output, "captions"):
        pass


def test_the_folder_is_free_again_after_an_error(tmp_path):
    with pytest.raises(KeyError), output_lock(tmp_path / "out", "captions"):
        raise KeyError
    with output_lock(tmp_path / "out", "captions"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_whose_names_begin_alike_do_not_exclude_each_other(tmp_path):
    with output_lock(tmp_path / "captions", "a"), output_lock(tmp_path / "captions2", "a"):
        with output_lock(tmp_path / "captions3", "a", "00000"), output_lock(tmp_path / "captions3", "a", "00001"):
            pass


def test_in_a_mounted_folder_whose_parent_is_not_ours_the_lock_lies_inside(source, tmp_path, monkeypatch):
    output = tmp_path / "out"
    output.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with output_lock(output, "capitals", "00000"):
        assert [path.parent for path in tmp_path.rglob("*.lock")] == [output]
        with pytest.raises(UnavailableError, match="capitals is at work"):
            run_stage(Capitals(source), output)
    assert run_stage(Capitals(source), output).num_shards == 3
    assert not list(tmp_path.rglob("*.lock"))
