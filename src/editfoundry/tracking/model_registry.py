"""Versions of the editor in MLflow's registry: registered with where they come from, and named by aliases."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from editfoundry.data.hashing import file_hash
from editfoundry.errors import BadInputError
from editfoundry.tracking.artifact_store import reachable_artifacts
from editfoundry.tracking.mlflow_client import experiment_id, open_client
from editfoundry.tracking.moved_project import store_file
from editfoundry.tracking.pyfunc_model import save_pyfunc

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

log = logging.getLogger(__name__)

MODEL_NAME = "world-editor"
EXPERIMENT = "models"
REQUIRED_TAGS = ("data_hash", "code_revision", "profile", "report")
CHECKPOINT_TAG = "checkpoint_hash"
TRAINING_SUMMARY = "training.json"
"""In a checkpoint's folder: what the trainer says of its run; no part of the editor."""
_COUNTED = (".safetensors", ".json", ".txt")


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str
    version: str
    tags: Mapping[str, str]
    run_id: str | None
    """The training run it comes from, if it is known."""

    @property
    def uri(self) -> str:
        """What ``mlflow.pyfunc.load_model`` and ``editfoundry edit --editor`` take."""
        return f"models:/{self.name}/{self.version}"


def register_version(
    folder: Path,
    name: str = MODEL_NAME,
    *,
    tags: Mapping[str, str],
    tracking_uri: str | None = None,
    run_id: str | None = None,
    root: Path | None = None,
    options: Mapping[str, type] | None = None,
) -> RegisteredVersion:
    """Log a diffusers folder as a pyfunc model that edits images, and register it as the name's next version.

    The same checkpoint from the same data is registered once: a second call returns the version that is there.

    Args:
        folder: the editor, in diffusers' layout; copied into the version's artifacts.
        name: of the registered model; created on first use.
        tags: at least ``data_hash``, ``code_revision``, ``profile`` and ``report``.
        tracking_uri: by default MLFLOW_TRACKING_URI, else ``sqlite:///<root>/mlflow.db``.
        run_id: the training run that the version comes from.
        root: folder of the project, by default the current one.
        options: see `save_pyfunc`; by default rows have a seed and no other option.

    Raises:
        BadInputError: ``folder`` is no diffusers folder.
        ValueError: a tag is missing or empty.
    """
    missing = [tag for tag in REQUIRED_TAGS if not tags.get(tag)]
    if missing:
        raise ValueError(f"a version of {name} needs the tag {missing[0]!r}: it says where the model comes from")
    if not (folder / "model_index.json").is_file():
        raise BadInputError(f"{folder}: no editor here: expected a diffusers folder with model_index.json")
    project = (root or Path.cwd()).resolve()
    client = open_client(tracking_uri, project)
    tagged = {**{key: str(value) for key, value in tags.items()}, CHECKPOINT_TAG: _folder_hash(folder)}
    _ensure_model(client, name)
    present = _same_version(client, name, tagged)
    if present is not None:
        return present
    experiment = experiment_id(client, EXPERIMENT, project)
    logged = client.create_logged_model(experiment, name, source_run_id=run_id, tags=tagged, model_type="editor")
    _send_model(client, logged, folder, project, options or {}, tagged["profile"])
    # Without a server, the registry would look the logged model up in the process's default store.
    has_server = client.tracking_uri.startswith("http")
    source = f"models:/{logged.model_id}" if has_server else logged.artifact_location
    model_id = logged.model_id if has_server or run_id else None
    return _registered(client.create_model_version(name, source, run_id, tags=tagged, model_id=model_id))


def set_alias(alias: str, version: RegisteredVersion, tracking_uri: str | None = None) -> None:
    """Let ``alias`` (``candidate``, ``champion``) name this version, and no other of its model."""
    open_client(tracking_uri).set_registered_model_alias(version.name, alias, version.version)


def version_by_alias(alias: str, name: str = MODEL_NAME, tracking_uri: str | None = None) -> RegisteredVersion | None:
    """Return the version that ``alias`` names, or None where there is no such alias or model."""
    from mlflow.exceptions import MlflowException

    try:
        return _registered(open_client(tracking_uri).get_model_version_by_alias(name, alias))
    except MlflowException as error:
        # SQLite's store says INVALID_PARAMETER_VALUE for an alias that is not there.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


@contextmanager
def registry_lock(tracking_uri: str, root: Path, name: str = MODEL_NAME) -> Iterator[None]:
    """Keep everybody else from comparing with a model's champion and moving its aliases while the block runs.

    The lock is a file beside an SQLite store, so that all projects that share the store wait for each other. A
    tracking server has no such place: there it is one in ``root``, which holds for one project alone.
    """
    beside = store_file(tracking_uri) or root / ".cache" / "registry"
    path = beside.with_name(f".{beside.name}.{name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: waiting until another comparison with its champion is done", name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_version_tag(version: RegisteredVersion, key: str, value: str, tracking_uri: str | None = None) -> None:
    """Set one tag of a version, for instance why it was not promoted."""
    open_client(tracking_uri).set_model_version_tag(version.name, version.version, key, value)


def _send_model(
    client: MlflowClient, logged: LoggedModel, folder: Path, root: Path, options: Mapping[str, type], profile: str
) -> None:
    """Save the model in a temporary folder and send it to the artifact store."""
    from mlflow.models import Model

    status: Literal["READY", "FAILED"] = "FAILED"
    try:
        with tempfile.TemporaryDirectory() as partial, reachable_artifacts(logged.artifact_location, root):
            local = str(Path(partial) / "model")
            origin = Model(
                artifact_path=logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id
            )
            save_pyfunc(local, folder, origin, options, profile)
            client.log_model_artifacts(logged.model_id, local)
        status = "READY"
    finally:
        client.finalize_logged_model(logged.model_id, status)


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _same_version(client: MlflowClient, name: str, tags: Mapping[str, str]) -> RegisteredVersion | None:
    same = (CHECKPOINT_TAG, "data_hash")
    for found in client.search_model_versions(f"name='{name}'"):
        if all(found.tags.get(tag) == tags[tag] for tag in same):
            return _registered(found)
    return None


def _registered(found: Any) -> RegisteredVersion:
    return RegisteredVersion(
        name=found.name, version=str(found.version), tags=dict(found.tags), run_id=found.run_id or None
    )


def _folder_hash(folder: Path) -> str:
    """Return the sha256 of the names and bytes of weights and settings; how the training went does not count."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _COUNTED and path.name != TRAINING_SUMMARY)
    listing = "\n".join(f"{path.relative_to(folder).as_posix()} {file_hash(path)}" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()
