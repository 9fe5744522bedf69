import tomllib
from pathlib import Path

import pytest

from editfoundry.tracking.service_environment import dagster_home
from editfoundry.tracking.shipped_files import PROJECT_FILES, project_file, shipped_file
from editfoundry.tracking.ui import _names_definitions

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", PROJECT_FILES)
def test_each_file_of_a_project_is_in_the_checkout_and_goes_into_the_wheel(name):
    assert shipped_file(name) == REPOSITORY / name
    assert shipped_file(name).exists()
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"][name] == f"editfoundry/project_files/{name}"


def test_a_projects_own_file_goes_before_the_shipped_one(tmp_path):
    assert project_file(tmp_path, "params.yaml") == REPOSITORY / "params.yaml"
    (tmp_path / "params.yaml").write_text("device: cpu\n")
    assert project_file(tmp_path, "params.yaml") == tmp_path / "params.yaml"


def test_dagsters_settings_come_from_the_package_where_a_folder_has_none(tmp_path):
    settings = dagster_home(tmp_path) / "dagster.yaml"
    assert settings.read_bytes() == (REPOSITORY / "infra" / "dagster" / "dagster.yaml").read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", "[tool.dg]\n", True),
        ("pyproject.toml", "[tool.dagster]\nmodule_name = 'mine'\n", True),
        ("pyproject.toml", "[project]\nname = 'unrelated'\n", False),
        ("pyproject.toml", "no TOML", False),
        ("workspace.yaml", "", True),
    ],
)
def test_dagster_is_told_of_our_definitions_only_where_a_folder_names_none(tmp_path, name, text, expected):
    assert not _names_definitions(tmp_path)
    (tmp_path / name).write_text(text)
    assert _names_definitions(tmp_path) is expected
