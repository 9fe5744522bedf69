import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_models import tiny_pipeline, write_dataset

from editfoundry.editors.train import MODULE, launch_training, read_training_config, train_editor
from editfoundry.errors import BadInputError
from editfoundry.training.failures import TrainingInterrupted
from editfoundry.training.history import History
from editfoundry.training.resume_folder import saved_steps

ACCELERATE = Path(__file__).resolve().parents[3] / "infra" / "accelerate"


def write_config(folder: Path, num_steps: int, **settings: object) -> Path:
    tiny_pipeline().save_pretrained(folder / "base")
    write_dataset(folder / "data")
    values = {
        "editor": str(folder / "base"),
        "dataset": str(folder / "data"),
        "output": str(folder / "out"),
        "work_dir": str(folder / "work"),
        "num_steps": num_steps,
        "batch_size": 2,
        "log_every": 1,
        **settings,
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(values))
    return folder / "train.yaml"


def test_a_terminated_run_saves_its_state_and_ends_every_process(tmp_path: Path) -> None:
    config = write_config(tmp_path, 100_000)
    log_path = tmp_path / "log"
    with log_path.open("w") as log:
        parent = start(config, 1, log)
        wait_for(log_path, "step 2/")
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(60) != 0
    saved = saved_steps(tmp_path / "out")[-1]
    step = int(saved.name.removeprefix("step-"))
    assert f"stopped after step {step} of 100000" in log_path.read_text()
    assert not processes_that_name(str(config))


@pytest.mark.slow
def test_what_a_killed_command_started_saves_its_state_and_ends(tmp_path: Path) -> None:
    config = write_config(tmp_path, 100_000)
    log_path = tmp_path / "log"
    with log_path.open("w") as log:
        command = subprocess.Popen([sys.executable, "-m", "editfoundry", "train", str(config)], stderr=log, stdout=log)
        wait_for(log_path, "step 2/")
        command.kill()
        command.wait()
        # Started again at once, it waits for the one that is just ending, and then is alone.
        again = start(config, 1, log)
        wait_for(log_path, "resuming at step")
        again.send_signal(signal.SIGTERM)
        again.wait(240)
    assert "the process that started this training is gone" in log_path.read_text()
    assert "Traceback" not in log_path.read_text()
    wait_until(lambda: not processes_that_name(str(config)))


def test_a_launched_run_leaves_a_checkpoint_and_is_not_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, 2)
    launch_training(config, num_processes=1)
    assert json.loads((tmp_path / "out/training.json").read_text())["num_steps"] == 2
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    launch_training(config)


def test_bad_input_seen_by_the_trainer_is_raised_as_such(tmp_path: Path) -> None:
    config = write_config(tmp_path, 2)
    (tmp_path / "base" / "model_index.json").unlink()
    with pytest.raises(BadInputError, match="base: cannot be loaded"):
        launch_training(config, num_processes=1)


def test_a_bad_configuration_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="absent.yaml"):
        launch_training(tmp_path / "absent.yaml")


def test_more_processes_than_gpus_are_refused_rather_than_run_as_one(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="num_processes is 999, but torch sees"):
        launch_training(write_config(tmp_path, 2), num_processes=999)


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 180
    while text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.2)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def processes_that_name(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in entry.read_text() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def curve(output: Path) -> list[float]:
    return [loss for _, loss in json.loads((output / "training.json").read_text())["loss_curve"]]


def unet_weights(folder: Path) -> torch.Tensor:
    saved = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    return torch.cat([saved[name].double().flatten() for name in sorted(saved)])


def distance(folder: Path, one: str, other: str) -> float:
    """How far apart two runs end, as a share of how far ``other`` went from the base."""
    weights, base = unet_weights(folder / other), unet_weights(folder / "base")
    return float((unet_weights(folder / one) - weights).norm() / (weights - base).norm())


def run_to(folder: Path, output: str, **settings: object) -> Path:
    """Return the configuration of a run with another output."""
    values = yaml.safe_load((folder / "train.yaml").read_text())
    path = folder / f"{output}.yaml"
    path.write_text(yaml.safe_dump({**values, "output": str(folder / output), **settings}))
    return path


def start(config: Path, num_processes: int, log: IO[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", MODULE, str(config), "--launch", "--num-processes", str(num_processes)]
    return subprocess.Popen(command, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


def launch(config: Path, num_processes: int) -> str:
    """Train, and return what was printed."""
    log_path = config.with_suffix(".log")
    with log_path.open("w") as log:
        status = start(config, num_processes, log).wait(900)
    assert status == 0, log_path.read_text()
    return log_path.read_text()


def kill_a_process(launcher: int, rank: str, saved: Path, step: int) -> None:
    """SIGKILL one training process once the state of ``step`` is saved."""
    deadline = time.monotonic() + 250
    while not saved_steps(saved) or int(saved_steps(saved)[-1].name.removeprefix("step-")) < step:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = psutil.Process(launcher).children(recursive=True)
    launchers = ("torch.distributed.run", "accelerate.commands.accelerate_cli")
    trainers = [w for w in workers if MODULE in w.cmdline() and not any(name in w.cmdline() for name in launchers)]
    [worker] = [w for w in trainers if w.environ().get("RANK", "0") == rank]
    worker.kill()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two undisturbed runs, ``out`` of one process and ``two`` of two."""
    folder = tmp_path_factory.mktemp("runs")
    config = write_config(folder, 24, batch_size=4, learning_rate=1e-3)
    train_editor(read_training_config(config))
    # Without this, one process compared with itself would pass.
    assert "processes: 2," in launch(run_to(folder, "two"), 2)
    return folder


@pytest.mark.slow
def test_two_processes_share_a_batch_and_end_where_one_does(runs: Path) -> None:
    assert curve(runs / "two") == pytest.approx(curve(runs / "out"), abs=1e-4)
    assert distance(runs, "two", "out") < 0.02


@pytest.mark.slow
def test_the_shipped_file_for_many_gpus_trains_in_bf16(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, which a machine without GPUs makes do with its cores for."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    launch_training(run_to(runs, "bf16"), 2, ACCELERATE / "multi_gpu.yaml")
    assert json.loads((runs / "bf16" / "training.json").read_text())["precision"] == "bf16"
    assert curve(runs / "bf16") == pytest.approx(curve(runs / "two"), rel=0.1)
    assert curve(runs / "bf16") != pytest.approx(curve(runs / "two"), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("num_processes", "rank", "undisturbed"), [(1, "0", "out"), (2, "1", "two")])
def test_a_run_whose_process_is_killed_goes_on_as_if_nothing_had_been(
    runs: Path, num_processes: int, rank: str, undisturbed: str
) -> None:
    config = run_to(runs, f"killed-{num_processes}", checkpoint_every=1)
    output = runs / f"killed-{num_processes}"
    with (runs / "log").open("w") as log:
        launcher = start(config, num_processes, log)
        kill_a_process(launcher.pid, rank, output, 3)
        assert launcher.wait(120) == 1
    told = (runs / "log").read_text().splitlines()[-1]
    assert "one of its processes was killed" in told and "the last good state is kept in" in told
    assert not (output / "model_index.json").exists() and 3 <= len(History.load(saved_steps(output)[-1]).losses) < 24
    launch(config, num_processes)
    assert curve(output) == pytest.approx(curve(runs / undisturbed), abs=1e-6)
    assert distance(runs, output.name, undisturbed) < 1e-5


@pytest.mark.slow
def test_a_run_goes_on_with_two_processes_after_an_epoch_with_one(runs: Path) -> None:
    """Eight triplets, four a step: the second epoch ends after step 4."""
    config = run_to(runs, "grown")
    calls = iter(range(1, 100))
    with pytest.raises(TrainingInterrupted, match="after step 4"):
        train_editor(read_training_config(config), should_stop=lambda: next(calls) >= 4)
    printed = launch(config, 2)
    assert "processes: 2," in printed and "resuming at step 4" in printed
    assert curve(runs / "grown")[:4] == pytest.approx(curve(runs / "out")[:4], abs=1e-6)
    assert curve(runs / "grown") == pytest.approx(curve(runs / "out"), abs=1e-4)
    assert distance(runs, "grown", "out") < 0.02
