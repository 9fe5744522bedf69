from dagster_project.links import mlflow_link, report_link
from editfoundry.tracking.mlflow_client import tracked_run


def test_a_report_is_a_link_where_it_is_served_and_else_a_command_that_opens_it(tmp_path, monkeypatch):
    page = tmp_path / "reports" / "editworld" / "report.html"
    monkeypatch.delenv("EDITFOUNDRY_REPORTS_URL", raising=False)
    assert report_link(page, tmp_path).value == f"python3 -m webbrowser {page.as_uri()}"
    monkeypatch.setenv("EDITFOUNDRY_REPORTS_URL", "http://127.0.0.1:8080")
    assert report_link(page, tmp_path).url == "http://127.0.0.1:8080/editworld/report.html"


def test_a_runs_link_opens_that_run(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with tracked_run("training", "first", {}, {"run_hash": "abc"}, root=tmp_path) as run:
        pass
    assert mlflow_link("training", "run_hash", "abc", tmp_path).value == run.run_id
    monkeypatch.setenv("EDITFOUNDRY_MLFLOW_URL", "http://127.0.0.1:5000")
    assert (
        f"/runs/{run.run_id}?workflowType=machine_learning" in mlflow_link("training", "run_hash", "abc", tmp_path).url
    )
    assert mlflow_link("training", "run_hash", "other", tmp_path).value == "none: MLflow has no run of it"


def test_a_server_that_does_not_answer_is_said_in_the_place_of_the_link(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert "MLflow does not answer" in mlflow_link("training", "run_hash", "abc", tmp_path).value
