import resource
import shutil
import subprocess
import sys
import threading

import pytest
import zc.lockfile

from editfoundry.errors import BadInputError
from editfoundry.tracking.dvc_client import (
    changed_stages,
    locked_hashes,
    record_stage,
    remote_endpoint,
    set_local_endpoint,
    stage_status,
    tracked_stages,
)

STAGES = """\
stages:
  copy:
    cmd: cp in.txt out.txt
    deps: [in.txt]
    outs: [out.txt]
"""
CONFIG = """\
[core]
    remote = storage
    analytics = false
['remote "storage"']
    url = s3://editfoundry/dvc
    endpointurl = http://127.0.0.1:8333
"""


def dvc(root, *arguments):
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    dvc(root, "init", "--no-scm", "-q")
    (root / ".dvc" / "config").write_text(CONFIG.replace("[core]", "[core]\n    no_scm = True"))
    (root / "in.txt").write_text("one")
    (root / "dvc.yaml").write_text(STAGES)
    dvc(root, "repro", "-q")
    return root


def test_a_stage_is_clean_after_it_ran_and_dirty_when_its_input_changes(project):
    assert stage_status(project, "copy").is_clean
    (project / "in.txt").write_text("two")
    status, changed = stage_status(project, "copy"), changed_stages(project)
    (project / "in.txt").write_text("one")
    assert (changed, changed_stages(project)) == (["copy"], [])
    assert not status.is_clean
    assert "in.txt" in " ".join(status.changes)


def test_hashes_are_those_of_the_lock(project):
    # md5 of the three bytes "one"
    assert locked_hashes(project, "copy") == {"out.txt": "f97c5d29941bfb1b2fdab0874906ab82"}


def test_a_stage_that_was_never_committed_has_no_hashes(project, tmp_path):
    assert locked_hashes(project, "other") == {}
    assert locked_hashes(tmp_path, "copy") == {}


def test_a_stage_of_a_file_of_its_own_is_called_by_file_and_name(project):
    file = project / "lines" / "own" / "dvc.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("stages: {twice: {wdir: ../.., cmd: cp out.txt twice.txt, deps: [out.txt], outs: [twice.txt]}}\n")
    address = "lines/own/dvc.yaml:twice"
    dvc(project, "repro", "-q")
    assert not (project / "twice.txt").exists()
    assert tracked_stages(project, "lines/own/dvc.yaml") == {"twice"}
    assert locked_hashes(project, address) == {}
    (project / "twice.txt").write_text("one")
    # md5 of the three bytes "one"
    assert record_stage(project, address, push=False) == "f97c5d29941bfb1b2fdab0874906ab82"
    assert stage_status(project, address).is_clean
    (project / "twice.txt").write_text("two")
    assert not stage_status(project, address).is_clean and changed_stages(project) == []
    shutil.rmtree(file.parent)


def test_an_unknown_stage_is_one_clear_line(project):
    with pytest.raises(BadInputError, match="dvc status .*nothing"):
        stage_status(project, "nothing")


def test_another_port_goes_to_the_local_configuration_only(project):
    before = (project / ".dvc" / "config").read_text()
    set_local_endpoint(project, "http://127.0.0.1:8399")
    assert remote_endpoint(project) == "http://127.0.0.1:8399"
    assert (project / ".dvc" / "config").read_text() == before


def test_a_remote_elsewhere_is_left_alone(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(CONFIG.replace("http://127.0.0.1:8333", "https://s3.example.org"))
    set_local_endpoint(tmp_path, "http://127.0.0.1:8333")
    assert not (tmp_path / ".dvc" / "config.local").exists()


def test_what_dagster_made_is_recorded_as_if_dvc_had_run_it_and_waits_for_its_lock(project):
    (project / "out.txt").write_text("two")
    (project / "in.txt").write_text("two")
    held = zc.lockfile.LockFile(str(project / ".dvc" / "tmp" / "lock"))
    threading.Timer(8.0, held.close).start()
    # md5 of the three bytes "two"
    assert record_stage(project, "copy", push=False) == "b8a9f715dbb64fd5c56e7783c6820a61"
    assert stage_status(project, "copy").is_clean
    (project / "in.txt").write_text("one")
    (project / "out.txt").write_text("one")
    record_stage(project, "copy", push=False)


def test_only_a_dvc_repository_has_stages(project, tmp_path):
    assert tracked_stages(project) == {"copy"}
    (tmp_path / "dvc.yaml").write_text(STAGES)
    assert tracked_stages(tmp_path) == set()


FOLDER_STAGE = """\
stages:
  make:
    cmd: "true"
    outs: [made]
"""


@pytest.fixture
def pushed(tmp_path):
    """A project with a remote on the disk, which a stage's folder of three files was pushed to."""
    root = tmp_path / "project"
    root.mkdir()
    dvc(root, "init", "--no-scm", "-q")
    dvc(root, "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    # A link takes no room.
    dvc(root, "config", "cache.type", "copy")
    (root / "dvc.yaml").write_text(FOLDER_STAGE)
    (root / "made").mkdir()
    for number in range(3):
        (root / "made" / f"{number}.bin").write_bytes(bytes([number]) * 3_000_000)
    record_stage(root, "make")
    return root


def objects_in(folder):
    return {path.name for path in folder.rglob("*") if path.is_file() and path.parent.parent.name == "md5"}


def test_objects_that_are_gone_from_the_remote_are_pushed_anew_though_dvc_believes_them_there(pushed, tmp_path):
    whole = objects_in(tmp_path / "remote")
    assert len(whole) == 4
    shutil.rmtree(tmp_path / "remote")
    record_stage(pushed, "make")
    assert objects_in(tmp_path / "remote") == whole


def test_a_commit_whose_objects_do_not_fit_on_the_disk_is_an_error(pushed):
    (pushed / "made" / "9.bin").write_bytes(b"9" * 3_000_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with pytest.raises(BadInputError, match=r"dvc commit make: ERROR: failed to transfer .*9\.bin"):
            record_stage(pushed, "make")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    record_stage(pushed, "make")
    assert stage_status(pushed, "make").is_clean
