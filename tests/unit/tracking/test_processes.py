import signal
import subprocess
import sys

import psutil

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
