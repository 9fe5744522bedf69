"""Tracking never holds up or ends a training."""

import json
import logging
import time
from pathlib import Path

import pytest
from linear_family import LinearTrainee, LinearTraining, weights

from editfoundry.tracking.mlflow_client import open_client
from editfoundry.training import metrics_log
from editfoundry.training.failures import TrainingInterrupted
from editfoundry.training.loop import train


def linear(folder: Path, uri: str, num_steps: int = 6) -> LinearTraining:
    return LinearTraining(
        output=folder / "out",
        num_steps=num_steps,
        batch_size=8,
        log_every=2,
        mlflow_tracking_uri=uri,
        mlflow_experiment="tries",
        sample_every=3,
    )


def test_a_run_has_its_settings_curve_pictures_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    config = linear(tmp_path, uri)
    calls = iter(range(1, 100))
    with pytest.raises(TrainingInterrupted):
        train(config, LinearTrainee.load, lambda: next(calls) >= 3)
    train(config, LinearTrainee.load)
    client = open_client(uri, tmp_path)
    [experiment] = [e for e in client.search_experiments() if e.name == "tries"]
    last, first = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])
    assert (first.info.status, last.info.status) == ("KILLED", "FINISHED")
    assert last.data.params["target"] == "3.0" and last.info.run_name.startswith("out, ")
    assert last.info.run_name != first.info.run_name
    assert last.data.tags["run_hash"] == json.loads((config.output / "training.json").read_text())["run_hash"]
    losses = client.get_metric_history(last.info.run_id, "loss")
    assert [metric.step for metric in losses] == [4, 6]
    assert [file.path for file in client.list_artifacts(last.info.run_id, "samples")] == ["samples/step-00000006.png"]


def test_a_database_that_takes_nothing_is_told_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics_log, "RETRY_SECONDS", 0.1)
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.WARNING):
        train(linear(tmp_path, f"sqlite:///{tmp_path}/mlflow.db"), LinearTrainee.load)
    assert len(weights(tmp_path / "out")) == 4
    told = [record.message for record in caplog.records if "MLflow at sqlite" in record.message]
    assert len(told) == 2 and "takes nothing" in told[0] and "has not got the whole log" in told[1]


def test_a_server_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_log, "CLOSE_SECONDS", 0.5)
    monkeypatch.setattr(metrics_log, "tracked_run", lambda *_: time.sleep(30))
    started = time.monotonic()
    train(linear(tmp_path, "http://127.0.0.1:9"), LinearTrainee.load)
    assert time.monotonic() - started < 20


def test_what_a_server_did_not_take_is_sent_once_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(metrics_log, "RETRY_SECONDS", 0.01)
    uri, opened, broken = f"sqlite:///{tmp_path}/mlflow.db", metrics_log.tracked_run, iter(range(3))

    def mended_later(*told: object) -> object:
        if next(broken, None) is not None:
            raise OSError("disk full")
        return opened(*told)  # type: ignore[arg-type]

    def slow_loss(self: LinearTrainee, *given: object) -> object:
        # Slower than the retries: the server must be well again before the training ends.
        time.sleep(0.05)
        return loss(self, *given)  # type: ignore[arg-type]

    loss = LinearTrainee.loss
    monkeypatch.setattr(LinearTrainee, "loss", slow_loss)
    monkeypatch.setattr(metrics_log, "tracked_run", mended_later)
    train(linear(tmp_path, uri, num_steps=8), LinearTrainee.load)
    client = open_client(uri, tmp_path)
    [experiment] = [e for e in client.search_experiments() if e.name == "tries"]
    [run] = client.search_runs([experiment.experiment_id])
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [2, 4, 6, 8]


def test_a_run_names_the_data_set_that_it_is_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LinearTraining, "identity", lambda self: {"dataset": "ab" * 32})
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    train(linear(tmp_path, uri), LinearTrainee.load)
    client = open_client(uri, tmp_path)
    [experiment] = [e for e in client.search_experiments() if e.name == "tries"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.tags["dataset_hash"] == "ab" * 32 and run.info.run_name.endswith(", data abababab")
    assert [held.dataset.digest for held in run.inputs.dataset_inputs] == [("ab" * 32)[:36]]
