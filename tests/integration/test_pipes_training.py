"""Training in a Dagster run: its log is the run's, cancelling ends every process, the next run resumes."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from tiny_models import tiny_pipeline, write_dataset

from dagster_project.training_process import train_in_a_process
from editfoundry.training.resume_folder import saved_steps

pytestmark = pytest.mark.slow
NUM_STEPS = 120
RUN = """
import sys
from pathlib import Path
import dagster as dg
from dagster_project.training_process import train_in_a_process

@dg.asset
def editor(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    train_in_a_process(context, pipes, Path(sys.argv[1]))
    return dg.MaterializeResult()

pipes = dg.PipesSubprocessClient(termination_timeout_seconds=300)
dg.materialize([editor], resources={"pipes": pipes}, raise_on_error=False)
"""


def write_config(folder: Path) -> Path:
    tiny_pipeline().save_pretrained(folder / "base")
    write_dataset(folder / "data")
    values = {
        "editor": str(folder / "base"),
        "dataset": str(folder / "data"),
        "output": str(folder / "out"),
        "work_dir": str(folder / "work"),
        "num_steps": NUM_STEPS,
        "batch_size": 2,
        "log_every": 1,
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(values))
    return folder / "train.yaml"


def in_dagsters_log(path: Path, text: str) -> bool:
    return any(re.search(rf"dagster - INFO - .*{text}", line) for line in path.read_text().splitlines())


def wait_for_a_step(run: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline = time.monotonic() + 1800
    while not in_dagsters_log(log_path, rf"step \d+/{NUM_STEPS} loss"):
        assert time.monotonic() < deadline and run.poll() is None, log_path.read_text()
        time.sleep(0.01)


def processes_that_name(text: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if text in (p.info["cmdline"] or [])]


def test_a_cancelled_run_leaves_no_process_and_a_state_that_the_next_run_goes_on_from(tmp_path: Path) -> None:
    config, log_path = write_config(tmp_path), tmp_path / "log"
    with log_path.open("w") as log:
        run = subprocess.Popen([sys.executable, "-c", RUN, str(config)], stderr=log, stdout=log)
        try:
            wait_for_a_step(run, log_path)
        finally:
            run.send_signal(signal.SIGINT)
            run.wait(600)
    assert not processes_that_name(str(config))
    [saved] = saved_steps(tmp_path / "out")
    step = int(saved.name.removeprefix("step-"))
    assert 0 < step < NUM_STEPS

    @dg.asset
    def editor(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
        train_in_a_process(context, pipes, config)
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [editor], resources={"pipes": dg.PipesSubprocessClient(termination_timeout_seconds=300)}, instance=instance
        )
        lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    numbers = [int(found[1]) for line in lines if (found := re.search(rf"step (\d+)/{NUM_STEPS} loss", line))]
    assert numbers == list(range(step + 1, NUM_STEPS + 1))
    assert json.loads((tmp_path / "out" / "training.json").read_text())["num_steps"] == NUM_STEPS


def test_where_the_run_itself_is_killed_its_training_saves_its_state_and_ends(tmp_path: Path) -> None:
    config, log_path = write_config(tmp_path), tmp_path / "log"
    with log_path.open("w") as log:
        run = subprocess.Popen([sys.executable, "-c", RUN, str(config)], stderr=log, stdout=log)
        try:
            wait_for_a_step(run, log_path)
        finally:
            run.kill()
            run.wait()
    deadline = time.monotonic() + 120
    while processes_that_name(str(config)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert saved_steps(tmp_path / "out") and not (tmp_path / "out" / "training.json").exists()
