from pathlib import Path

import pytest

from editfoundry.errors import BadInputError
from editfoundry.lineage.new_project import write_project
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import run_stage
from editfoundry.tracking.dvc_client import remote_endpoint, tracked_stages

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_project_has_the_repositorys_parameters_stages_and_settings_under_git(tmp_path):
    folder = tmp_path / "my-editor"
    written = write_project(folder)
    assert (folder / ".git").is_dir()
    assert set(written) == {p for p in folder.rglob("*") if p.is_file() and ".git" not in p.relative_to(folder).parts}
    for path in written:
        assert path.read_bytes() == (REPOSITORY / path.relative_to(folder)).read_bytes()
    assert load_params(folder / "params.yaml").editworld["num_steps"] > 0
    assert {"captions", "editworld_report"} <= tracked_stages(folder)
    assert remote_endpoint(folder) == "http://127.0.0.1:8333"


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInputError, match=r"holds notes\.txt already; a project starts in an empty folder"):
        write_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(BadInputError, match="is a file"):
        write_project(tmp_path / "notes.txt")


def test_an_empty_clone_and_a_folder_inside_a_repository_stay_in_the_repository_they_have(tmp_path):
    (tmp_path / ".git").mkdir()
    write_project(tmp_path)
    assert not list((tmp_path / ".git").iterdir())
    write_project(tmp_path / "inner")
    assert not (tmp_path / "inner" / ".git").exists()


def test_without_git_dvc_is_told_to_do_without_it_too(tmp_path):
    write_project(tmp_path / "project", with_git=False)
    assert not (tmp_path / "project" / ".git").exists()
    assert "no_scm = true" in (tmp_path / "project" / ".dvc" / "config").read_text()
    assert remote_endpoint(tmp_path / "project") == "http://127.0.0.1:8333"


@pytest.mark.parametrize("profile", ["paper", "modern"])
def test_a_project_of_another_profile_shows_its_parameters_and_asks_for_sources(tmp_path, profile):
    write_project(tmp_path / "mine", profile=profile)
    params = load_params(tmp_path / "mine" / "params.yaml")
    assert params.profile == profile and params.editworld["resolution"] == 512
    for stage, what in (("captions", "captions.table names nothing"), ("clips", "clips.videos names nothing")):
        with pytest.raises(BadInputError, match=what):
            run_stage(stage, params, tmp_path / "mine")
    assert not (tmp_path / "mine" / "data").exists()


def test_an_unknown_profile_leaves_no_folder(tmp_path):
    with pytest.raises(BadInputError, match="no profile 'papers'"):
        write_project(tmp_path / "mine", profile="papers")
    assert not (tmp_path / "mine").exists()
