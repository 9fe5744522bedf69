"""Finds the files of a model in MLflow's registry by its alias or version."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlparse

from editfoundry.data.record import short_hash
from editfoundry.errors import BadInputError, one_line
from editfoundry.tracking.artifact_store import reachable_artifacts
from editfoundry.tracking.mlflow_client import open_client

_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^/@]+)@(?P<alias>[\w.-]+)|models:/(?P<named>[^/@]+)/(?P<version>\d+)")


def is_registered_reference(text: str) -> bool:
    """Tell whether ``text`` is ``NAME@ALIAS``, ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``, and no folder."""
    return _REFERENCE.fullmatch(text) is not None and not Path(text).exists()


def registered_folder(reference: str, cache: Path, tracking_uri: str | None = None) -> Path:
    """Return the folder of a registered model: where it lies, or under ``cache`` if it had to be fetched.

    Args:
        reference: see `is_registered_reference`.
        cache: gets a folder for each version of a model that lies elsewhere than on this disk.
        tracking_uri: by default ``MLFLOW_TRACKING_URI``, else the current folder's.

    Raises:
        BadInputError: there is no such model or alias, or its files are gone.
    """
    client = open_client(tracking_uri)
    from mlflow.exceptions import MlflowException

    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise BadInputError(f"{reference!r} is no registered model: write NAME@ALIAS")
    name = parts["name"] or parts["named"]
    try:
        version = parts["version"] or client.get_model_version_by_alias(name, parts["alias"]).version
        source = client.get_model_version_download_uri(name, version)
        folder = _local(source)
        if folder is None:
            # The source too: a version 1 of another registry has other files.
            folder = cache / f"{name}-{version}-{short_hash(source)}"
            if not folder.is_dir():
                _fetch(source, folder, client.tracking_uri)
    except MlflowException as error:
        reason = one_line(error, 200)
        raise BadInputError(f"{reference}: not in the registry at {client.tracking_uri} ({reason})") from error
    if not folder.is_dir():
        raise BadInputError(f"{reference}: its files are gone: no folder {folder}")
    return folder


def _fetch(source: str, folder: Path, tracking_uri: str) -> None:
    """Download a model's files; ``folder`` is there in full or not at all."""
    import mlflow.artifacts

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial, reachable_artifacts(source, Path.cwd()):
        whole = Path(partial) / folder.name
        mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(whole), tracking_uri=tracking_uri)
        whole.rename(folder)


def _local(source: str) -> Path | None:
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(source) if parsed.scheme == "" else None
