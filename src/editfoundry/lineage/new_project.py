"""Starts a project in an empty folder: parameters, stages and settings, versioned by Git and DVC."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from editfoundry.errors import BadInputError
from editfoundry.lineage.params_file import PARAMS_FILE, params_text
from editfoundry.profiles import DEFAULT_PROFILE
from editfoundry.tracking.shipped_files import PROJECT_FILES, shipped_file

_WITHOUT_GIT = "    no_scm = true\n"


def write_project(folder: Path, with_git: bool = True, profile: str = DEFAULT_PROFILE) -> list[Path]:
    """Write the shipped files of a project, and make the folder a Git repository where it is in none.

    Args:
        folder: empty, but for ``.git``; made where it is missing.
        with_git: without, DVC is told to do without Git too.
        profile: whose parameters ``params.yaml`` holds.

    Returns:
        What was written.

    Raises:
        BadInputError: the folder holds something, there is no such profile, or Git is wanted and fails.
    """
    params = params_text(profile)
    _check_is_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if with_git and not _is_in_repository(folder):
        _git(folder, "init", "--quiet")
    written = [path for name in PROJECT_FILES for path in _copy(shipped_file(name), folder / name)]
    (folder / PARAMS_FILE).write_text(params, encoding="utf-8")
    if not with_git:
        config = folder / ".dvc" / "config"
        config.write_text(config.read_text().replace("[core]\n", f"[core]\n{_WITHOUT_GIT}"))
    return written


def _check_is_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder}: is a file; give a folder")
    found = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.is_dir() else []
    if found:
        raise BadInputError(f"{folder.resolve()}: holds {found[0]} already; a project starts in an empty folder")


def _copy(source: Path, target: Path) -> list[Path]:
    """Copy a file, or the files of a folder; return the copies."""
    if source.is_dir():
        return [copy for inner in sorted(source.glob("*.yaml")) for copy in _copy(inner, target / inner.name)]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not the mode and the time: site-packages may be read-only.
    return [Path(shutil.copyfile(source, target))]


def _is_in_repository(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents))


def _git(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BadInputError("git is not installed; install it, or start the project with --no-git") from None
    if done.returncode:
        raise BadInputError(f"git {arguments[0]} in {folder}: {' '.join(done.stderr.split())}")
