"""Commits ``dvc.lock`` on a branch of its own; what a person has checked out, staged or changed is not touched."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from editfoundry.errors import BadInputError

RECORDED_FILES = ("dvc.lock", "params.yaml")
"""What is taken from the working tree; all else is as the branch checked out has it."""
_NOBODY = {
    "GIT_AUTHOR_NAME": "editfoundry", "GIT_AUTHOR_EMAIL": "editfoundry@localhost",
    "GIT_COMMITTER_NAME": "editfoundry", "GIT_COMMITTER_EMAIL": "editfoundry@localhost",
}  # fmt: skip


def commit_lock(root: Path, branch: str, tag: str, message: str) -> str:
    """Commit ``dvc.lock`` and ``params.yaml`` as they are now onto ``branch``, and tag the commit.

    The branch is made where it is not there. Its new commit follows the branch's last one, and the commit that is
    checked out. Where nothing differs from the branch's last commit, that one is taken. Nothing is pushed.

    Args:
        root: the project's folder, in a Git repository that need not begin there.
        branch: must not be the one that is checked out.
        tag: where it names another commit already, the new commit's first digits are added to it.
        message: of the commit.

    Returns:
        The tag.

    Raises:
        BadInputError: there is no Git repository or no ``dvc.lock``, or the branch is checked out or no branch's name.
    """
    if not (root / "dvc.lock").is_file():
        raise BadInputError(f"{root / 'dvc.lock'}: no such file; nothing was recorded in DVC")
    _git(root, "check-ref-format", "--branch", branch)
    head, reference = _git(root, "rev-parse", "--verify", "HEAD"), f"refs/heads/{branch}"
    if _git(root, "rev-parse", "--symbolic-full-name", "HEAD") == reference:
        raise BadInputError(f"{branch}: this branch is checked out in {root}; name another for dvc.lock")
    last = _commit_of(root, reference)
    tree = _tree(root, head)
    if last and _git(root, "rev-parse", f"{last}^{{tree}}") == tree:
        return _tag(root, tag, last)
    parents = [last, head] if last and not _is_ancestor(root, head, last) else [last or head]
    options = [word for parent in parents for word in ("-p", parent)]
    commit = _git(root, "commit-tree", tree, "-m", message, *options, env=_author(root))
    _git(root, "update-ref", "-m", message, reference, commit, last or "0" * 40)
    return _tag(root, tag, commit)


def _tree(root: Path, head: str) -> str:
    """Write the tree of ``head`` with the recorded files of the working tree, in an index of its own."""
    prefix = _git(root, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, "read-tree", head, env=index)
        for name in RECORDED_FILES:
            if (root / name).is_file():
                blob = _git(root, "hash-object", "-w", name)
                _git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{prefix}{name}", env=index)
        return _git(root, "write-tree", env=index)


def _tag(root: Path, tag: str, commit: str) -> str:
    named = _commit_of(root, f"refs/tags/{tag}")
    if named not in (None, commit):
        tag = f"{tag}-{commit[:8]}"
    _git(root, "tag", "--force", tag, commit)
    return tag


def _commit_of(root: Path, reference: str) -> str | None:
    done = _run(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    return done.stdout.strip() or None


def _is_ancestor(root: Path, one: str, other: str) -> bool:
    return _run(root, "merge-base", "--is-ancestor", one, other).returncode == 0


def _git(root: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = _run(root, *arguments, env=env)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadInputError(f"git {arguments[0]} in {root}: {reason}")
    return done.stdout.strip()


def _author(root: Path) -> dict[str, str]:
    """Return no name where Git has the person's own."""
    return {} if _run(root, "config", "user.email").returncode == 0 else _NOBODY


def _run(root: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
