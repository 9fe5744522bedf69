"""The environment in which processes find a project's S3, MLflow, reports and Dagster."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from editfoundry.tracking import mlflow_client, report_pages, s3
from editfoundry.tracking.artifact_store import s3_environment
from editfoundry.tracking.shipped_files import project_file

FOREIGN_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


def service_environment(root: Path, server: s3.S3Server | None) -> dict[str, str]:
    """Return the environment in which Dagster, and all it starts, finds this project's services.

    With the project's own S3 server, keys of another one that the environment names are left out.
    """
    environment = {**os.environ, **_own_settings(root)}
    environment.setdefault("MLFLOW_DEFAULT_ARTIFACT_ROOT", f"s3://{s3.BUCKET}/mlflow")
    if server is not None:
        kept = {name: value for name, value in environment.items() if name not in FOREIGN_KEYS}
        return {**kept, **s3_environment(root, server)}
    return environment


def _own_settings(root: Path) -> dict[str, str]:
    return {
        "DAGSTER_HOME": str(dagster_home(root)),
        "EDITFOUNDRY_ROOT": str(root),
        "MLFLOW_TRACKING_URI": mlflow_client.default_tracking_uri(root),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }


def write_environment(root: Path, environment: dict[str, str]) -> Path:
    """Write what another terminal needs to work with the same services; it holds no key."""
    stores = ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "AWS_ENDPOINT_URL_S3", "AWS_SHARED_CREDENTIALS_FILE")
    names = (*_own_settings(root), *stores, mlflow_client.PAGE_VARIABLE, report_pages.PAGE_VARIABLE)
    path = root / ".services" / "environment"
    path.parent.mkdir(exist_ok=True)
    lines = [f"{name}={shlex.quote(environment[name])}" for name in names if name in environment]
    path.write_text("\n".join(lines) + "\n")
    return path


def dagster_home(root: Path) -> Path:
    """Create ``<root>/.dagster`` with a ``dagster.yaml`` on first use; a person's own is kept."""
    home = root / ".dagster"
    home.mkdir(exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        shutil.copyfile(project_file(root, "infra/dagster/dagster.yaml"), settings)
    return home
