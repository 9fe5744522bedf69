import logging
import re
import shutil
import sqlite3
import subprocess
import sys

import pytest
from mlflow import MlflowClient
from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.tracking.mlflow_client import (
    DATASET_TAG,
    default_tracking_uri,
    distinct_name,
    experiments_url,
    find_run,
    only_watching,
    open_client,
    run_url,
    source_tags,
    tracked_run,
    tracking_uri_of,
)


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


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "mlruns" in path.parts}


def log_note(root, experiment="editors"):
    with tracked_run(experiment, "after", {}, {}, root=root) as run:
        run.log_artifact(root / "note.txt", "notes")
    return run


@pytest.mark.parametrize("has_tag", [True, False], ids=["", "of an older version"])
@pytest.mark.parametrize("how", ["copied", "renamed"])
def test_a_project_that_was_copied_or_renamed_goes_on_in_its_own_folder(finished, tmp_path, how, has_tag):
    old, new = tmp_path / "old place", tmp_path / "new place"
    shutil.copytree(finished, old)
    # The first project stands elsewhere: its copy is one that was moved already.
    log_note(old)
    if not has_tag:
        with sqlite3.connect(old / "mlflow.db") as database:
            database.execute("DELETE FROM experiment_tags WHERE key = 'editfoundry.root'")
    before = files_in(old)
    if how == "copied":
        shutil.copytree(old, new)
    else:
        old.rename(new)
    client = open_client(root=new)
    experiment = client.get_experiment_by_name("editors")
    runs = client.search_runs([experiment.experiment_id])
    assert all(run.info.artifact_uri.startswith((new / "mlruns").as_uri()) for run in runs)
    assert any(client.list_artifacts(run.info.run_id) for run in runs)
    after = log_note(new)
    assert [file.path for file in client.list_artifacts(after.run_id)] == ["notes"]
    assert (files_in(old) if how == "copied" else before) == before and old.exists() == (how == "copied")
    assert len(files_in(new)) == len(before) + 1


def test_artifacts_that_lie_elsewhere_by_choice_stay_there(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", str(tmp_path / "shared" / "mlruns"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "note.txt").write_text("hello")
    first = log_note(root, "one")
    (tmp_path / "project").rename(tmp_path / "renamed")
    client = open_client(root=tmp_path / "renamed")
    assert client.get_run(first.run_id).info.artifact_uri.startswith((tmp_path / "shared").as_uri())


def test_a_run_has_a_page_in_the_training_view_where_a_server_shows_it(finished, monkeypatch):
    _, run = only_run(finished)
    monkeypatch.delenv("EDITFOUNDRY_MLFLOW_URL", raising=False)
    assert run_url(run.info.run_id, finished) is None
    monkeypatch.setenv("EDITFOUNDRY_MLFLOW_URL", "http://127.0.0.1:5000/")
    page = f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert run_url(run.info.run_id, finished) == f"{page}?workflowType=machine_learning"
    assert (
        experiments_url("http://127.0.0.1:5000") == "http://127.0.0.1:5000/#/experiments?workflowType=machine_learning"
    )


def test_experiments_are_of_model_training_also_those_that_were_there(finished):
    client = MlflowClient(default_tracking_uri(finished))
    client.create_experiment("earlier")
    with tracked_run("earlier", "x", {}, {}, root=finished):
        pass
    for name in ("editors", "earlier"):
        assert client.get_experiment_by_name(name).tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_run_names_the_data_set_it_read(finished):
    with tracked_run("reading", "x", {}, {}, root=finished) as run:
        run.log_dataset("dataset", "ab" * 32, "data/dataset/train")
    _, found = only_run(finished, "reading")
    [held] = found.inputs.dataset_inputs
    assert (held.dataset.name, held.dataset.digest) == ("dataset", ("ab" * 32)[:36])
    assert "data/dataset/train" in held.dataset.source
    assert found.data.tags[DATASET_TAG] == "ab" * 32


def test_names_tell_runs_of_the_same_work_apart():
    named = re.compile(r"editworld, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(, data abcdef12)?")
    told = [named.fullmatch(distinct_name("editworld", data)) for data in ("abcdef1234", "")]
    assert [bool(match[1]) for match in told] == [True, False]


def test_a_store_that_takes_nothing_is_a_warning_and_the_work_stands(tmp_path, caplog):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with caplog.at_level(logging.WARNING), only_watching("the evaluation"):
        log_note(tmp_path)
    assert "the evaluation is finished, but not in MLflow (" in caplog.text
    with pytest.raises(BadInputError), only_watching("the evaluation"):
        raise BadInputError("wrong")


def test_the_run_of_a_piece_of_work_is_found_by_its_tag_and_the_newest_counts(finished):
    assert find_run("nothing of this name", "work", "1", finished) is None
    for tag in ("1", "1", "2"):
        with tracked_run("works", "again", {}, {"work": tag}, root=finished) as run:
            if tag == "1":
                newest = run.run_id
    assert find_run("works", "work", "1", finished) == newest
    assert find_run("works", "work", "3", finished) is None


def test_runs_go_where_the_environment_says_else_into_the_projects_own_store(tmp_path, monkeypatch):
    assert tracking_uri_of(tmp_path) == default_tracking_uri(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert tracking_uri_of(tmp_path) == "http://mlflow:5000"


def test_a_run_of_a_projects_own_store_keeps_its_files_there_wherever_it_was_started(tmp_path, monkeypatch):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir(), elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with tracked_run("editors", "first", {}, {}, default_tracking_uri(project)) as run:
        run.log_figure(Image.new("RGB", (4, 4)), "grid.png")
    assert len(list((project / "mlruns").rglob("grid.png"))) == 1
    assert not list(elsewhere.iterdir())
