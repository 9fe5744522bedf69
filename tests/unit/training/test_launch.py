import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_models import tiny_pipeline, write_dataset

from editfoundry.errors import BadInputError
from editfoundry.training.launch import launch_training
from editfoundry.training.resume import saved_steps


def write_config(folder: Path, num_steps: int) -> Path:
    tiny_pipeline().save_pretrained(folder / "base")
    write_dataset(folder / "data")
    values = {
        "editor": str(folder / "base"), "dataset": str(folder / "data"), "output": str(folder / "out"),
        "work_dir": str(folder / "work"), "num_steps": num_steps, "batch_size": 2, "log_every": 1,
    }  # fmt: skip
    (folder / "train.yaml").write_text(yaml.safe_dump(values))
    return folder / "train.yaml"


def test_a_terminated_run_saves_its_state_and_ends_every_process(tmp_path: Path) -> None:
    config = write_config(tmp_path, 100_000)
    log_path = tmp_path / "log"
    with log_path.open("w") as log:
        parent = subprocess.Popen([sys.executable, "-m", "editfoundry.training.launch", config, "1"], stderr=log)
        wait_for(log_path, "step 2/")
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(60) != 0
    [saved] = saved_steps(tmp_path / "out")
    step = int(saved.name.removeprefix("step-"))
    assert f"stopped after step {step} of 100000" in log_path.read_text()
    assert not processes_that_name(str(config))


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


def processes_that_name(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in entry.read_text() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def test_two_processes_share_a_batch_and_end_where_one_does(tmp_path: Path) -> None:
    config = write_config(tmp_path, 3)
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "batch_size": 4, "learning_rate": 1e-3}))
    curves, weights = [], []
    for number in (1, 2):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(number)]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "-m", "editfoundry.training", config],
            env=environment, capture_output=True, text=True, check=True, timeout=900,
        )  # fmt: skip
        # Without this, one process compared with itself would pass.
        assert f"processes: {number}," in done.stderr
        curves.append([loss for _, loss in json.loads((tmp_path / "out/training.json").read_text())["loss_curve"]])
        saved = load_file(tmp_path / "out/unet/diffusion_pytorch_model.safetensors")
        weights.append(torch.cat([saved[name].double().flatten() for name in sorted(saved)]))
        (tmp_path / "out").rename(tmp_path / f"out-{number}")
    base = load_file(tmp_path / "base/unet/diffusion_pytorch_model.safetensors")
    start = torch.cat([base[name].double().flatten() for name in sorted(base)])
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
    assert (weights[1] - weights[0]).norm() / (weights[0] - start).norm() < 0.01
