"""Lets a project that was copied or renamed go on in its own folder: MLflow's store holds absolute paths."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlparse

ROOT_TAG = "editfoundry.root"
"""Tag of an experiment: the project's folder, whose store and artifacts lie side by side."""
STORE_NAME, ARTIFACTS = "mlflow.db", "mlruns"
"""Of a project's own store, and the folder of its artifacts."""
_LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Tables of MLflow's store and their columns with addresses of artifacts."""


def store_file(tracking_uri: str) -> Path | None:
    """Return the file of an SQLite store; None for any other."""
    return Path(tracking_uri.removeprefix("sqlite:///")) if tracking_uri.startswith("sqlite:///") else None


@lru_cache(maxsize=8)
def adopt_artifacts(store: Path) -> None:
    """Point a store that has moved together with its artifacts to where these are now; done once a process.

    Args:
        store: the SQLite file, in the project's folder.
    """
    if not store.is_file():
        return
    root = store.resolve().parent
    with contextlib.closing(sqlite3.connect(store, timeout=30.0)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
            return
        for old in _former_roots(database, root):
            _replace(database, old.as_uri(), root.as_uri())
            _replace(database, str(old), str(root))
        database.commit()


def _former_roots(database: sqlite3.Connection, root: Path) -> set[Path]:
    tagged = database.execute("SELECT value FROM experiment_tags WHERE key = ?", (ROOT_TAG,))
    former = {Path(value) for (value,) in tagged}
    for (location,) in database.execute("SELECT artifact_location FROM experiments"):
        address = urlparse(location or "")
        path = Path(unquote(address.path))
        # Stores of older versions have no tag; then the artifacts tell, which must have come along.
        if address.scheme in ("", "file") and path.parent.name == ARTIFACTS and path.is_absolute():
            old, here = path.parent.parent, root / ARTIFACTS / path.name
            if here.is_dir() or not old.exists():
                former.add(old)
    return {old for old in former if old != root}


def _replace(database: sqlite3.Connection, old: str, new: str) -> None:
    start = f"{old}/{ARTIFACTS}/"
    for table, columns in _LOCATIONS.items():
        for column in columns:
            with contextlib.suppress(sqlite3.OperationalError):
                # A table that this version of MLflow does not have.
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (f"{new}/{ARTIFACTS}/", len(start) + 1, len(start), start),
                )
    database.execute("UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?", (new, ROOT_TAG, old))
