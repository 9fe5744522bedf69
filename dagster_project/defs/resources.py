"""What every asset needs to know: whose folder it works in, with which parameters, and what DVC keeps of it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from editfoundry.errors import BadInputError
from editfoundry.execution.stage_record import Stage
from editfoundry.lineage.params import Params, load_params, with_overrides
from editfoundry.lineage.stages import Paths
from editfoundry.tracking.shipped_files import project_file

_CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_ROOT = _CHECKOUT if (_CHECKOUT / "params.yaml").is_file() else Path.cwd()
"""This repository, or where Dagster was started, when this package is installed from a wheel."""


class Foundry(dg.ConfigurableResource):
    """A project's folder and the parameters of its lineage."""

    root: str = str(DEFAULT_ROOT)
    """Folder that holds ``data/``, ``checkpoints/`` and ``reports/``."""
    params_file: str = "params.yaml"
    """Parameters of every stage; relative to ``root``. A folder without ``params.yaml`` has the demo's, as shipped."""
    profile: str = ""
    """Which model plays which role, in all stages: ``embedded``, ``paper``, ``modern`` or a TOML file; empty, the
    profile of the parameters' file."""
    incoming_address: str = ""
    """``s3://bucket/prefix`` where tables arrive, beside the folder ``data/incoming``; empty for none."""
    settle_seconds: float = 10.0
    """How long a table in ``data/incoming`` must be left alone before it counts as whole."""
    max_retries: int = 3
    """How often a step is tried again when a service does not answer."""
    retry_seconds: float = 30.0
    """Wait before a retry."""

    @property
    def folder(self) -> Path:
        """The root as a path."""
        return Path(self.root).resolve()

    @property
    def paths(self) -> Paths:
        """Where each stage's output is."""
        return Paths(self.folder)

    @property
    def params(self) -> Params:
        """The parameters as the file has them now, with the profile chosen here."""
        return load_params(self._params_path, self.profile or None)

    @property
    def is_as_tracked(self) -> bool:
        """Whether the profile is that of the parameters' file, which DVC tracks."""
        return self.profile in ("", load_params(self._params_path).profile)

    @property
    def _params_path(self) -> Path:
        is_default = self.params_file == "params.yaml"
        return project_file(self.folder, "params.yaml") if is_default else self.folder / self.params_file

    def params_with(self, section: str, overrides: Mapping[str, Any]) -> Params:
        """Return the parameters with some values of one section replaced.

        Raises:
            BadInputError: the section has no such parameter, or the value is of another type.
        """
        return with_overrides(self.params, section, overrides) if overrides else self.params


class DvcRepository(dg.ConfigurableResource):
    """DVC's record of the lineage: what a stage made is committed, pushed, and named by its hash."""

    mode: str = "auto"
    """``auto`` commits and pushes where the folder is a DVC repository; ``commit`` does not push; ``off``."""
    lock_branch: str = ""
    """Git branch on which the gate commits ``dvc.lock`` of each version; empty, a person commits it."""

    def record(self, root: Path, stage: Stage) -> str | None:
        """Commit and push a stage's output; return its hash in ``dvc.lock``, or None where DVC keeps nothing of it.

        The file of a line of its own is written where the project has none yet.

        Raises:
            BadInputError: DVC refuses to commit.
            UnavailableError: the remote does not answer; what was committed stays, and a second call pushes it.
        """
        from editfoundry.lineage.dvc_file import dvc_address, dvc_file, ensure_line
        from editfoundry.tracking.dvc_client import record_stage, tracked_stages

        if self.mode not in ("auto", "commit", "off"):
            raise ValueError(f"DVC's mode is {self.mode!r}: use auto, commit or off")
        if self.mode == "off" or not (root / ".dvc").is_dir():
            return None
        ensure_line(root, stage.line)
        if stage.name not in tracked_stages(root, dvc_file(stage.line)):
            return None
        return record_stage(root, dvc_address(stage), push=self.mode == "auto")

    def commit_lock(self, root: Path, tag: str, message: str) -> str | None:
        """Commit ``dvc.lock`` on the branch of its own; return the tag, or None where no branch is configured.

        Raises:
            BadInputError: an output is not as locked, so that the lock would name other data than was used; or Git
                refuses.
        """
        from editfoundry.tracking.dvc_client import changed_stages
        from editfoundry.tracking.lock_commit import commit_lock

        if not self.lock_branch or self.mode == "off":
            return None
        if changed := changed_stages(root):
            raise BadInputError(f"dvc.lock is not committed on {self.lock_branch}: not as locked: {', '.join(changed)}")
        return commit_lock(root, self.lock_branch, tag, message)


@dg.definitions
def resources() -> dg.Definitions:
    """Provide the resources, as the environment has them.

    EDITFOUNDRY_ROOT is the project's folder, by default this repository, or the current folder where this is installed
    from a wheel; EDITFOUNDRY_PARAMS its parameters' file, EDITFOUNDRY_PROFILE another profile than that file's,
    EDITFOUNDRY_DVC one of auto, commit, off, EDITFOUNDRY_LOCK_BRANCH the Git branch on which the gate commits
    ``dvc.lock``, and EDITFOUNDRY_INCOMING an ``s3://bucket/prefix`` where source data arrives.
    """
    foundry = Foundry(
        root=os.environ.get("EDITFOUNDRY_ROOT", str(DEFAULT_ROOT)),
        params_file=os.environ.get("EDITFOUNDRY_PARAMS", "params.yaml"),
        profile=os.environ.get("EDITFOUNDRY_PROFILE", ""),
        incoming_address=os.environ.get("EDITFOUNDRY_INCOMING", ""),
    )
    dvc = DvcRepository(
        mode=os.environ.get("EDITFOUNDRY_DVC", "auto"), lock_branch=os.environ.get("EDITFOUNDRY_LOCK_BRANCH", "")
    )
    # The trainer saves its state when it is told to stop, which takes as long as writing the weights.
    pipes = dg.PipesSubprocessClient(termination_timeout_seconds=300)
    return dg.Definitions(resources={"foundry": foundry, "dvc": dvc, "pipes": pipes})
