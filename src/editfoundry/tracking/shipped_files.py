"""Files of a project that are shipped: parameters, stages, settings. A checkout of the repository is such a project."""

from __future__ import annotations

from pathlib import Path

PROJECT_FILES = (
    "params.yaml",
    "dvc.yaml",
    ".gitignore",
    ".dvcignore",
    ".dvc/config",
    ".dvc/.gitignore",
    "infra/dagster/dagster.yaml",
    "infra/accelerate",
)
"""Files, and a folder of files, by their paths in a project; ``pyproject.toml`` puts the same ones into the wheel."""

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_file(name: str) -> Path:
    """Return where one of `PROJECT_FILES` lies: in the installed package, or at the top of the checkout."""
    packaged = _PACKAGE / "project_files" / name
    return packaged if packaged.exists() else _PACKAGE.parents[1] / name


def project_file(root: Path, name: str) -> Path:
    """Return a project's own file of that name; the shipped one where it has none."""
    own = root / name
    return own if own.is_file() else shipped_file(name)
