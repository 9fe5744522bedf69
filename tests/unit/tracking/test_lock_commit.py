import subprocess

import pytest

from editfoundry.errors import BadInputError
from editfoundry.tracking.lock_commit import commit_lock

LOCK = "project/dvc.lock"


def git(root, *arguments):
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository whose project is a folder below its top, with a staged and an unstaged change of a person's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "notes.txt").write_text("one")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    (tmp_path / "project" / "dvc.lock").write_text("data: 1\n")
    (tmp_path / "notes.txt").write_text("two")
    (tmp_path / "staged.txt").write_text("staged")
    git(tmp_path, "add", "staged.txt")
    return tmp_path


def test_the_lock_is_committed_apart_and_the_person_s_work_is_not_touched(clone):
    before = git(clone, "status", "--porcelain"), git(clone, "rev-parse", "HEAD")
    assert commit_lock(clone / "project", "retraining", "editor-1", "editor 1: better") == "editor-1"
    assert (git(clone, "status", "--porcelain"), git(clone, "rev-parse", "HEAD")) == before
    assert git(clone, "show", f"editor-1:{LOCK}") == "data: 1"
    assert git(clone, "show", "retraining:notes.txt") == "one"
    assert git(clone, "ls-tree", "-r", "--name-only", "retraining").split() == [
        "notes.txt",
        LOCK,
        "project/params.yaml",
    ]
    assert git(clone, "log", "-1", "--format=%s", "retraining") == "editor 1: better"


def test_versions_follow_one_another_and_what_is_checked_out(clone):
    project = clone / "project"
    commit_lock(project, "retraining", "editor-1", "one")
    assert commit_lock(project, "retraining", "editor-1", "again") == "editor-1"
    assert git(clone, "rev-list", "--count", "main..retraining") == "1"
    git(clone, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "second")
    (project / "dvc.lock").write_text("data: 2\n")
    (project / "params.yaml").write_text("seed: 1\n")
    commit_lock(project, "retraining", "editor-2", "two")
    assert git(clone, "show", "retraining:notes.txt") == "two"
    assert git(clone, "show", "editor-2:project/params.yaml") == "seed: 1"
    assert git(clone, "show", f"editor-1:{LOCK}") == "data: 1"
    parents = git(clone, "log", "-1", "--format=%P", "retraining").split()
    assert parents == [git(clone, "rev-parse", "editor-1"), git(clone, "rev-parse", "main")]


def test_a_tag_that_is_taken_keeps_its_commit(clone):
    project = clone / "project"
    commit_lock(project, "retraining", "editor-1", "one")
    first = git(clone, "rev-parse", "editor-1")
    (project / "dvc.lock").write_text("data: 2\n")
    tag = commit_lock(project, "retraining", "editor-1", "another registry's version 1")
    assert git(clone, "rev-parse", "editor-1") == first
    assert tag == f"editor-1-{git(clone, 'rev-parse', 'retraining')[:8]}"


@pytest.mark.parametrize("branch", ["main", "no..name", "-x"])
def test_the_branch_checked_out_and_no_branch_s_name_are_refused(clone, branch):
    before = git(clone, "for-each-ref")
    with pytest.raises(BadInputError, match="checked out|valid branch name|check-ref-format"):
        commit_lock(clone / "project", branch, "editor-1", "one")
    assert git(clone, "for-each-ref") == before


def test_without_a_lock_or_a_repository_there_is_nothing_to_commit(clone, tmp_path_factory):
    (clone / LOCK).unlink()
    with pytest.raises(BadInputError, match="nothing was recorded in DVC"):
        commit_lock(clone / "project", "retraining", "editor-1", "one")
    alone = tmp_path_factory.mktemp("alone")
    (alone / "dvc.lock").touch()
    with pytest.raises(BadInputError, match="not a git repository"):
        commit_lock(alone, "retraining", "editor-1", "one")
