"""The loop with a trainee that it has never seen."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import linear_family
import pytest
import torch
import yaml
from linear_family import LinearTrainee, LinearTraining, weights

from editfoundry.editors.families import FAMILIES
from editfoundry.editors.train import read_training_config, train_editor
from editfoundry.errors import BadInputError, UnavailableError
from editfoundry.execution.output_lock import output_lock
from editfoundry.training import loop
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.loop import train
from editfoundry.training.resume_folder import saved_steps


@pytest.fixture
def config(tmp_path: Path) -> LinearTraining:
    return LinearTraining(
        output=tmp_path / "straight", num_steps=12, batch_size=8, learning_rate=0.1, log_every=1, ema_decay=0.5
    )


def fit(config: LinearTraining, should_stop: Callable[[], bool] = lambda: False) -> dict[str, torch.Tensor]:
    train(config, LinearTrainee.load, should_stop)
    return weights(config.output)


def stop_after(num_steps: int) -> Callable[[], bool]:
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= num_steps


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_family_that_a_test_made_trains_from_a_flat_file(
    config: LinearTraining, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("editfoundry.editors.train.FAMILIES", [*FAMILIES, linear_family.FAMILY])
    path = tmp_path / "train.yaml"
    path.write_text(
        f"family: linear\noutput: {tmp_path / 'flat'}\nnum_steps: 12\nbatch_size: 8\nlearning_rate: 0.1\n"
        "log_every: 1\nema_decay: 0.5\ntarget: 3\n"
    )
    summary = train_editor(read_training_config(path))
    assert summary["num_samples"] == 64 and summary["loss_curve"][-1][1] < summary["loss_curve"][0][1]
    assert_equal(weights(tmp_path / "flat"), fit(config))
    path.write_text(path.read_text() + "horizontal_flip: true\n")
    with pytest.raises(BadInputError, match=r"train.yaml: unknown setting 'horizontal_flip': .*target.*second_rate"):
        read_training_config(path)


def test_a_stopped_and_resumed_run_gives_the_same_weights(config: LinearTraining) -> None:
    resumed = replace(config, output=config.output.with_name("resumed"))
    with pytest.raises(TrainingInterrupted, match="after step 5 of 12"):
        fit(resumed, stop_after(5))
    assert_equal(fit(resumed), fit(config))


def test_a_step_in_flight_changes_neither_weights_nor_losses_nor_what_is_saved(
    config: LinearTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fit(config)
    monkeypatch.setattr(loop, "STEPS_IN_FLIGHT", {"cpu": 1})
    flying = replace(
        config, output=config.output.with_name("flying"), log_every=4, validate_every=5, checkpoint_every=6
    )
    seen_after = []

    def stop_once() -> bool:
        seen_after.append(len(seen_after))
        return len(seen_after) == 6

    # Told during the sixth step, of which nothing is known until something is looked at or the next one is begun.
    with pytest.raises(TrainingInterrupted, match="after step 6 of 12"):
        fit(flying, stop_once)
    assert [path.name for path in saved_steps(flying.output)] == ["step-6"]
    assert_equal(fit(flying), expected)
    told, wanted = (json.loads((c.output / "training.json").read_text()) for c in (flying, config))
    assert [step for step, _ in told["validation_losses"]] == [5, 10, 12]
    losses = [loss for _, loss in wanted["loss_curve"]]
    means = [sum(losses[start : start + 4]) / 4 for start in (0, 4, 8)]
    assert [loss for _, loss in told["loss_curve"]] == pytest.approx(means)


def test_a_step_in_flight_that_spoils_the_weights_is_not_saved(
    config: LinearTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STEPS_IN_FLIGHT", {"cpu": 1})
    monkeypatch.setattr(LinearTrainee, "loss", lambda self, modules, batch: modules[0].weight.sum() * float("nan"))
    with pytest.raises(TrainingError, match="the loss is nan at step 1: "):
        fit(replace(config, checkpoint_every=2, log_every=100))
    assert not saved_steps(config.output)


def test_a_killed_run_goes_on_and_gives_the_same_weights(config: LinearTraining, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    values = {
        "family": "linear",
        "output": str(output),
        "num_steps": 12,
        "batch_size": 8,
        "learning_rate": 0.1,
        "log_every": 1,
        "ema_decay": 0.5,
        "checkpoint_every": 1,
        "seconds_per_step": 0.2,
    }
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(values))
    command = [sys.executable, str(Path(linear_family.__file__)), str(path)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 240
    while not saved_steps(output):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    left = int(saved_steps(output)[-1].name.removeprefix("step-"))
    assert 1 <= left < 12 and not (output / "training.json").exists()
    assert subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode == 0
    assert_equal(weights(output), fit(config))


def test_every_part_learns_at_its_own_rate_and_is_averaged(config: LinearTraining) -> None:
    still = fit(replace(config, second_rate=0.0, weight_decay=0.0, output=config.output.with_name("still")))
    torch.manual_seed(7)
    first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
    assert torch.equal(still["second.weight"], second.weight)
    assert not torch.allclose(still["first.weight"], first.weight)
    averaged, last = fit(config), fit(replace(config, use_ema=False, output=config.output.with_name("last")))
    assert all(not torch.allclose(averaged[name], last[name]) for name in averaged)


def test_parts_of_a_batch_add_up_to_the_whole(config: LinearTraining) -> None:
    parts = fit(replace(config, gradient_accumulation_steps=4, output=config.output.with_name("parts")))
    whole = fit(config)
    assert all(torch.allclose(parts[name], whole[name], atol=1e-5) for name in whole)


def test_validation_and_samples_come_at_their_steps(config: LinearTraining) -> None:
    watched = replace(config, validate_every=5, sample_every=6, output=config.output.with_name("watched"))
    assert_equal(fit(watched), fit(config))
    summary = json.loads((watched.output / "training.json").read_text())
    assert [step for step, _ in summary["validation_losses"]] == [5, 10, 12]
    assert sorted(path.name for path in (watched.output / "samples").iterdir()) == [
        "step-00000006.png",
        "step-00000012.png",
    ]


def test_checkpoints_can_come_by_the_clock(config: LinearTraining) -> None:
    timed = replace(config, checkpoint_every=1, checkpoint_every_seconds=3600.0)
    with pytest.raises(TrainingInterrupted):
        fit(timed, stop_after(4))
    assert [path.name for path in saved_steps(timed.output)] == ["step-4"]
    always = replace(timed, checkpoint_every_seconds=0.0, output=config.output.with_name("always"))
    with pytest.raises(TrainingInterrupted):
        fit(always, stop_after(4))
    assert [path.name for path in saved_steps(always.output)] == ["step-3", "step-4"]


def test_a_second_trainer_is_told_in_one_line_who_is_at_work(
    config: LinearTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOCK_WAIT_SECONDS", 0.0)
    with output_lock(config.output, config.STAGE), pytest.raises(UnavailableError) as raised:
        fit(config)
    assert f"process {os.getpid()} on" in str(raised.value) and "\n" not in str(raised.value)
    fit(config)


def test_a_trainer_that_is_just_ending_is_waited_for(config: LinearTraining) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with output_lock(config.output, config.STAGE):
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    threading.Timer(1.0, release.set).start()
    fit(config)
    holder.join()


def test_a_full_disk_at_the_end_loses_nothing_where_room_is_made(
    config: LinearTraining, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No resumable state was saved, so only the process has what was learnt."""
    monkeypatch.setattr(loop, "ROOM_RETRY_SECONDS", 0.2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        return False

    def make_room() -> None:
        while "cannot be written" not in caplog.text:
            time.sleep(0.05)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    maker = threading.Thread(target=make_room, daemon=True)
    maker.start()
    one_step = replace(config, num_steps=1, num_padding=100_000)
    try:
        found = fit(one_step, fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_equal(found, fit(replace(one_step, output=config.output.with_name("calm"))))


def test_a_disk_that_stays_full_is_told_after_a_while(config: LinearTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ROOM_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(loop, "ROOM_WAIT_SECONDS", 0.3)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        return False

    try:
        with pytest.raises(TrainingError, match="the finished checkpoint cannot be written to .* free there"):
            fit(replace(config, num_steps=1, num_padding=100_000), fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("seed", -1, "0 to 4294967295"),
        ("seed", 2**32, "0 to 4294967295"),
        ("learning_rate", float("inf"), "a finite number"),
        ("weight_decay", float("inf"), "a finite number"),
        ("max_grad_norm", float("nan"), "a finite number"),
        ("second_rate", float("inf"), "a finite number"),
    ],
)
def test_a_setting_that_no_training_can_have_is_refused(
    config: LinearTraining, name: str, value: float, rule: str
) -> None:
    with pytest.raises(BadInputError, match=f"{name} is .*, but must be {rule}"):
        replace(config, **{name: value})
