"""Brings up this project's own S3 server while somebody reads or writes artifacts that lie in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from editfoundry.tracking import s3

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")


@contextmanager
def reachable_artifacts(location: str, root: Path) -> Iterator[None]:
    """Make an artifact location of ``root``'s own S3 server reachable; any other is left to the environment.

    Where the server runs already it is used; otherwise it is started, and stopped when the block ends.

    Args:
        location: URI of a folder of artifacts.
        root: folder of the project, whose server it may be.
    """
    is_ours = location.startswith(f"s3://{s3.BUCKET}/") and (s3.service_folder(root) / "credentials").is_file()
    if not is_ours or has_own_endpoint(root):
        yield
        return
    was_running = s3.status(root) is not None
    server = s3.start(root)
    before = dict(os.environ)
    os.environ.update(s3_environment(root, server))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        if not was_running:
            s3.stop(root)


def has_own_endpoint(root: Path) -> bool:
    """Return whether the environment names an S3 server other than ``root``'s own, which is used instead of that."""
    is_local = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") == str(s3.service_folder(root) / "credentials")
    return not is_local and any(os.environ.get(name) for name in ENDPOINTS)


def s3_environment(root: Path, server: s3.S3Server) -> dict[str, str]:
    """Return what boto3, DVC and MLflow need in their environment to find ``root``'s server."""
    return {
        "AWS_ENDPOINT_URL_S3": server.endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(s3.service_folder(root) / "credentials"),
    }
