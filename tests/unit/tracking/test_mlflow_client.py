import subprocess
import sys

import pytest
from mlflow import MlflowClient
from PIL import Image

from editfoundry.tracking.mlflow_client import default_tracking_uri, source_tags, tracked_run


def only_run(root, experiment="editors"):
    client = MlflowClient(default_tracking_uri(root))
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, run


@pytest.fixture(autouse=True)
def no_other_store(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  dataset:\n    cmd: x\n    outs:\n    - path: data/dataset\n      md5: abc.dir\n"
    )
    (root / "note.txt").write_text("hello")
    params = {"optimizer": {"lr": 1e-4, "betas": [0.9, 0.99]}, "seed": 7}
    with tracked_run("editors", "first", params, {"profile": "embedded"}, root=root) as run:
        for step, loss in ((1, 0.5), (2, 0.25)):
            run.log_metric("loss", loss, step)
        run.log_artifact(root / "note.txt", "notes")
        run.log_figure(Image.new("RGB", (4, 4)), "grid.png")
    return root


def test_a_run_keeps_its_parameters_metrics_and_tags(finished):
    client, run = only_run(finished)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"optimizer.lr": "0.0001", "optimizer.betas": "[0.9, 0.99]", "seed": "7"}
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [(1, 0.5), (2, 0.25)]
    assert run.data.tags["profile"] == "embedded"
    assert run.data.tags["dvc.data/dataset"] == "abc.dir"


def test_artifacts_lie_under_mlruns_of_the_project(finished):
    client, run = only_run(finished)
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"notes", "grid.png"}
    (note,) = (finished / "mlruns").rglob("note.txt")
    assert note.read_text() == "hello"


def test_a_run_that_raises_is_marked_failed(finished):
    with pytest.raises(ZeroDivisionError), tracked_run("failing", "x", {}, {}, root=finished):
        _ = 1 / 0
    assert only_run(finished, "failing")[1].info.status == "FAILED"


def test_an_interrupted_run_is_marked_killed(finished):
    with pytest.raises(KeyboardInterrupt), tracked_run("interrupted", "x", {}, {}, root=finished):
        raise KeyboardInterrupt
    assert only_run(finished, "interrupted")[1].info.status == "KILLED"


def test_a_second_run_joins_the_experiment(finished):
    for name in ("one", "two"):
        with tracked_run("shared", name, {}, {}, root=finished):
            pass
    client = MlflowClient(default_tracking_uri(finished))
    runs = client.search_runs([client.get_experiment_by_name("shared").experiment_id])
    assert {run.info.run_name for run in runs} == {"one", "two"}


def test_the_commit_is_a_tag_inside_a_repository_and_left_out_elsewhere(tmp_path):
    assert source_tags(tmp_path) == {}
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert source_tags(tmp_path) == {"mlflow.source.git.commit": head.stdout.strip()}


def test_importing_the_client_does_not_load_mlflow():
    code = "import sys, editfoundry.tracking.mlflow_client; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
