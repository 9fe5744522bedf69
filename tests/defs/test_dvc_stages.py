from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project.definitions import defs as load_defs
from editfoundry.lineage import Paths

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stages():
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture(scope="module")
def graph():
    return load_defs().get_repository_def().asset_graph


def outputs(stage):
    return [path for out in stage["outs"] for path in out]


def test_dvc_and_dagster_name_the_same_stages(stages, graph):
    assert set(stages) == {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_dvc_and_dagster_agree_on_what_needs_what(stages, graph):
    maker = {path: name for name, stage in stages.items() for path in outputs(stage)}
    for name, stage in stages.items():
        parents = {maker[path] for path in stage.get("deps", []) if path in maker}
        assert parents == {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}, name


def test_every_stage_writes_the_folder_the_lineage_gives_it(stages):
    paths = Paths(Path("."))
    for name, stage in stages.items():
        assert outputs(stage) == [getattr(paths, name).as_posix()], name


def test_every_stage_tracks_parameters_that_params_yaml_has(stages):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, stage in stages.items():
        assert stage["params"] and all(section.split(".")[0] in params for section in stage["params"]), name
