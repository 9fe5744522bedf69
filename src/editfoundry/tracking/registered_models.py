"""Finds the files of a model in MLflow's registry by its alias."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

from editfoundry.errors import BadInputError
from editfoundry.tracking.mlflow_client import default_tracking_uri

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
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or default_tracking_uri(Path.cwd())
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise BadInputError(f"{reference!r} is no registered model: write NAME@ALIAS")
    name = parts["name"] or parts["named"]
    try:
        version = parts["version"] or client.get_model_version_by_alias(name, parts["alias"]).version
        source = client.get_model_version_download_uri(name, version)
        folder = _local(source)
        if folder is None:
            folder = cache / f"{name}-{version}"
            if not folder.is_dir():
                mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=uri)
    except MlflowException as error:
        reason = " ".join(str(error).split())[:200]
        raise BadInputError(f"{reference}: not in the registry at {uri} ({reason})") from error
    if not folder.is_dir():
        raise BadInputError(f"{reference}: its files are gone: no folder {folder}")
    return folder


def _local(source: str) -> Path | None:
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(source) if parsed.scheme == "" else None
