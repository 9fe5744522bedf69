"""One run tracked by MLflow: parameters, metrics by step, artifacts, and which code and data it came from."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editfoundry.errors import BadInputError, one_line
from editfoundry.tracking.artifact_store import reachable_artifacts
from editfoundry.tracking.dvc_client import locked_hashes
from editfoundry.tracking.moved_project import ARTIFACTS, ROOT_TAG, STORE_NAME, adopt_artifacts, store_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

MAX_VALUE_CHARS = 500
DATASET_TAG = "dataset_hash"
PAGE_VARIABLE = "EDITFOUNDRY_MLFLOW_URL"
"""Environment: where a browser finds MLflow's pages."""
TRAINING_VIEW = "workflowType=machine_learning"
"""Of MLflow's pages: their default, which is for chats with models, hides runs."""
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


@dataclass(frozen=True)
class TrackedRun:
    """A run that is open; it ends with the ``with`` block of `tracked_run`."""

    client: MlflowClient
    run_id: str

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Record one value of a metric."""
        self.client.log_metric(self.run_id, name, float(value), step=step)

    def log_artifact(self, path: Path | str, folder: str | None = None) -> None:
        """Copy a file into the run, under ``folder`` of its artifacts."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib or plotly figure, or a PIL image, as artifact ``name`` (its suffix gives the format)."""
        log = self.client.log_figure if hasattr(figure, "savefig") else self.client.log_image
        log(self.run_id, figure, name)

    def log_dataset(self, name: str, digest: str, source: Path | str) -> None:
        """Record the data set that the run reads as an input, and its hash as the tag `DATASET_TAG` too."""
        from mlflow.entities import Dataset, DatasetInput

        held = json.dumps({"uri": str(source)})
        # MLflow takes 36 characters of a digest; the tag has them all.
        dataset = Dataset(name=name, digest=digest[:36], source_type="local", source=held)
        self.client.log_inputs(self.run_id, [DatasetInput(dataset=dataset)])
        self.set_tag(DATASET_TAG, digest)

    def set_tag(self, name: str, value: str) -> None:
        """Set one tag."""
        self.client.set_tag(self.run_id, name, value)


@contextmanager
def tracked_run(
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    tracking_uri: str | None = None,
    *,
    root: Path | None = None,
) -> Iterator[TrackedRun]:
    """Open a run and close it as FINISHED, as FAILED where the block raises, as KILLED on Ctrl-C.

    Args:
        experiment: its name; created on first use.
        name: of the run.
        params: may be nested; ``{"a": {"b": 1}}`` becomes ``a.b``.
        tags: added to the commit and data hashes of `source_tags`.
        tracking_uri: by default MLFLOW_TRACKING_URI, else ``sqlite:///<root>/mlflow.db``.
        root: folder of the project, by default that of the store where it is a project's own, else the current one;
            artifacts go where `experiment_id` says.
    """
    store = store_file(tracking_uri) if tracking_uri else None
    folder = (root or (store.parent if store and store.name == STORE_NAME else Path.cwd())).resolve()
    client = open_client(tracking_uri, folder)
    tagged = {**source_tags(folder), **tags}
    run = client.create_run(experiment_id(client, experiment, folder), run_name=name, tags=tagged)
    tracked = TrackedRun(client, run.info.run_id)
    end = "FAILED"
    try:
        with reachable_artifacts(run.info.artifact_uri, folder):
            _log_params(tracked, params)
            yield tracked
        end = "FINISHED"
    except KeyboardInterrupt:
        end = "KILLED"
        raise
    finally:
        client.set_terminated(tracked.run_id, end)


@contextmanager
def only_watching(work: str) -> Iterator[None]:
    """Warn, instead of raising, where MLflow takes nothing: a full disk or a dead server must not end the work.

    Args:
        work: what the block logs, as the warning names it.
    """
    try:
        yield
    except BadInputError:
        raise
    except Exception as error:
        reason = one_line(error, 200)
        log.warning("%s is finished, but not in MLflow (%s)", work, reason)


def default_tracking_uri(root: Path) -> str:
    """Return the SQLite tracking store of a project's folder."""
    return f"sqlite:///{root.resolve() / STORE_NAME}"


def tracking_uri_of(root: Path) -> str:
    """Return where a project's runs and models are tracked: MLFLOW_TRACKING_URI, else its own store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default_tracking_uri(root)


def source_tags(root: Path, stage: str = "dataset") -> dict[str, str]:
    """Return tags that name the git commit and the DVC hash of each output of the data set's stage."""
    tags = {f"dvc.{path}": md5 for path, md5 in locked_hashes(root, stage).items()}
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return tags
    return {**tags, "mlflow.source.git.commit": done.stdout.strip()} if done.returncode == 0 else tags


def open_client(tracking_uri: str | None = None, root: Path | None = None) -> MlflowClient:
    """Return a client of a tracking store and its registry.

    Args:
        tracking_uri: by default MLFLOW_TRACKING_URI, else ``sqlite:///<root>/mlflow.db``.
        root: folder of the project, by default the current one.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if not sys.stderr.isatty():
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = tracking_uri or tracking_uri_of(root or Path.cwd())
    store = store_file(uri)
    if store is not None:
        adopt_artifacts(store)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def experiment_id(client: MlflowClient, name: str, root: Path) -> str:
    """Return an experiment's id, creating it on first use.

    A new experiment's artifacts go where a tracking server says; without one to MLFLOW_DEFAULT_ARTIFACT_ROOT, which
    may be an ``s3://`` prefix, else to ``<root>/mlruns``. One that is there stays where it is.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        for key, value in _EXPERIMENT_TAGS.items():
            if key not in found.tags:
                client.set_experiment_tag(found.experiment_id, key, value)
        return str(found.experiment_id)
    location = None if client.tracking_uri.startswith("http") else f"{artifact_root(root)}/{name}"
    tags = dict(_EXPERIMENT_TAGS)
    if client.tracking_uri == default_tracking_uri(root):
        tags[ROOT_TAG] = str(root.resolve())
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=tags))
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def find_run(
    experiment: str, tag: str, value: str, root: Path | None = None, tracking_uri: str | None = None
) -> str | None:
    """Return the id of the newest run of an experiment whose tag has a value; None where there is none.

    Args:
        experiment: its name.
        tag: of the run.
        value: of the tag; holds no quotation mark.
        root: folder of the project, by default the current one.
        tracking_uri: by default MLFLOW_TRACKING_URI, else the project's own store.
    """
    client = open_client(tracking_uri, root)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return None
    runs = client.search_runs([found.experiment_id], f"tags.`{tag}` = '{value}'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


def run_url(run_id: str, root: Path | None = None, tracking_uri: str | None = None) -> str | None:
    """Return the page of a run in MLflow's training view; None where no server shows it.

    Args:
        run_id: of the run.
        root: folder of the project, by default the current one.
        tracking_uri: by default MLFLOW_TRACKING_URI, else the project's own store.
    """
    client = open_client(tracking_uri, root)
    page = os.environ.get(PAGE_VARIABLE) or (client.tracking_uri if client.tracking_uri.startswith("http") else None)
    if page is None:
        return None
    experiment = client.get_run(run_id).info.experiment_id
    return f"{page.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}?{TRAINING_VIEW}"


def experiments_url(page: str) -> str:
    """Return the list of experiments, in the training view, of a server at ``page``."""
    return f"{page.rstrip('/')}/#/experiments?{TRAINING_VIEW}"


def distinct_name(name: str, data_hash: str = "") -> str:
    """Return a run's name that tells it from others of the same work: its time and the beginning of its data's hash."""
    data = f", data {data_hash[:8]}" if data_hash else ""
    return f"{name}, {datetime.now():%Y-%m-%d %H:%M:%S}{data}"


def artifact_root(root: Path) -> str:
    """Return where the artifacts of a project's new experiments go, as a URI."""
    chosen = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", ARTIFACTS).rstrip("/")
    return chosen if "://" in chosen else (root.resolve() / chosen).as_uri()


def _log_params(run: TrackedRun, params: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    pairs = [Param(key, str(value)[:MAX_VALUE_CHARS]) for key, value in _flat(params)]
    for first in range(0, len(pairs), 100):
        run.client.log_batch(run.run_id, params=pairs[first : first + 100])


def _flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
