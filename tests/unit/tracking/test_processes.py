import signal
import subprocess
import sys
import time

import psutil

from editfoundry.data.running_process import is_running, started_at
from editfoundry.tracking.processes import end_process

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_process_that_ignores_the_signal_is_killed_with_its_children():
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as parent:
        child_pid = int(parent.stdout.readline())
        end_process(parent.pid, signal_number=signal.SIGTERM, grace_seconds=0.5)
        parent.wait(5)
    assert not psutil.pid_exists(child_pid) or psutil.Process(child_pid).status() == psutil.STATUS_ZOMBIE


def test_ending_a_process_that_is_gone_does_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    end_process(gone.pid, signal_number=signal.SIGTERM)


def test_a_later_process_of_the_same_id_is_not_taken_for_ours():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start_time = started_at(process.pid)
        assert is_running(process.pid, start_time)
        assert not is_running(process.pid, start_time - 3600)
        process.stdin.close()
    time.sleep(0.05)
    assert not is_running(process.pid, start_time)
