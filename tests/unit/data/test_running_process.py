import subprocess
import sys
import time

from editfoundry.data.running_process import is_running, started_at


def test_a_later_process_of_the_same_id_is_not_taken_for_ours():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start_time = started_at(process.pid)
        assert is_running(process.pid, start_time)
        assert not is_running(process.pid, start_time - 3600)
        process.stdin.close()
    time.sleep(0.05)
    assert not is_running(process.pid, start_time)
