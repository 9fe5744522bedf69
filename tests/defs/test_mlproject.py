"""The entry points of mlflow/MLproject, and the settings of its servers, as MLflow itself reads them."""

import shlex
from pathlib import Path

import pytest
from mlflow.cli import server
from mlflow.projects.utils import load_project
from typer.main import get_command

from editfoundry.cli.app import app

FOLDER = Path(__file__).resolve().parents[2] / "mlflow"


@pytest.mark.parametrize(
    ("entry_point", "given", "expected"),
    [
        ("train", {}, {"config": "params.yaml"}),
        ("train", {"config": "my settings.yaml"}, {"config": "my settings.yaml"}),
        ("evaluate", {}, {"editor": "['checkpoints/editworld']", "benchmark": "tinyworld", "out": "reports/editworld"}),
        ("evaluate", {"editor": "world-editor@champion"}, {"editor": "['world-editor@champion']"}),
    ],
)
def test_an_entry_point_is_a_command_with_options_that_there_are(entry_point, given, expected):
    command = load_project(str(FOLDER)).get_entry_point(entry_point).compute_command(given, None)
    change, _, rest = command.partition(" && ")
    program, name, *arguments = shlex.split(rest)
    # MLflow runs a project in its own folder.
    assert (change, program) == ("cd ..", "editfoundry")
    context = get_command(app).commands[name].make_context(name, arguments)
    assert {key: str(context.params[key]) for key in expected} == expected


@pytest.mark.parametrize("name", ["mlflow.env", "server.env"])
def test_every_setting_is_one_that_the_server_reads(name):
    lines = [line for line in (FOLDER / name).read_text().splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines)
    known = {option.envvar for option in server.params if option.envvar}
    elsewhere = {"MLFLOW_TRACKING_URI", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"}
    assert set(settings) <= known | elsewhere
    assert settings.get("MLFLOW_ARTIFACTS_DESTINATION", "s3://").startswith("s3://")
