"""What every asset of the lineage shares: its options, its run, its metadata, its version in DVC.

An asset's body is one call of `materialize_stage`; a function of its own adds what is worth seeing of its output:

    @dg.asset(**stage_options("sources", kinds={"parquet"}, pool=CPU_POOL))
    def captions(
        context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
    ) -> dg.MaterializeResult:
        "What the asset is."
        return materialize_stage(context, config, foundry, dvc, show=_examples)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.failures import told_clearly
from dagster_project.metadata import OWNERS, column_schema, counts, mlflow_link
from dagster_project.progress import log_progress
from editfoundry.data.stage import StageResult
from editfoundry.lineage import stages as lineage
from editfoundry.lineage.stages import Params, Paths, Progress

GPU_POOL = "gpu"
CPU_POOL = "dvc"
"""Stages that need no GPU stand in line for DVC's lock instead. Those of the other pool wait for it inside DVC."""
EAGER = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


class StageConfig(dg.Config):
    """What the launchpad can change of one stage."""

    overrides: dict[str, Any] = Field(
        default={},
        description="Values to use instead of those that params.yaml has in this stage's section, such as "
        '{"num_steps": 10}; checked as the file is. What they make is not recorded in DVC, which tracks the file.',
    )


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """A stage that has just run."""

    params: Params
    paths: Paths
    folder: Path
    """The stage's output."""
    result: StageResult | Path


Show = Callable[[StageRun], Mapping[str, Any]]
"""Returns metadata worth seeing of a stage's output."""
Execute = Callable[[Params, Path, Progress], StageResult | Path]
"""Runs a stage: parameters, the project's folder, and what is told how far it is."""


def stage_options(group: str, *, kinds: set[str], pool: str, deps: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `dg.asset` takes for every stage of the lineage."""
    return {
        "group_name": group,
        "owners": OWNERS,
        "kinds": kinds,
        "pool": pool,
        "deps": list(deps),
        "automation_condition": EAGER,
    }


def materialize_stage(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    foundry: Foundry,
    dvc: DvcRepository,
    show: Show,
    execute: Execute | None = None,
) -> dg.MaterializeResult:
    """Run the stage that the asset is named after, record its output in DVC, and return what to see of it.

    Args:
        context: names the stage and takes its log.
        config: values of the launchpad.
        foundry: folder and parameters.
        dvc: gives the output's hash, which becomes the asset's data version.
        show: adds metadata.
        execute: runs the stage; by default the function of `lineage.STAGES`.

    Raises:
        dg.Failure: bad input, or a service that did not come back; the message is one line.
        dg.RetryRequested: a service does not answer for now.
    """
    stage = context.asset_key.to_user_string()
    with told_clearly(context, foundry):
        params = foundry.params_with(stage, config.overrides)
        run_stage = execute or lineage.STAGES[stage]
        result = run_stage(params, foundry.folder, log_progress(context.log.info))
        run = StageRun(params=params, paths=foundry.paths, folder=getattr(foundry.paths, stage), result=result)
        tracked = foundry.is_as_tracked and not config.overrides
        data_hash = dvc.record(foundry.folder, stage) if tracked else None
    return dg.MaterializeResult(
        metadata={**_common(run, foundry, data_hash, config), **show(run)},
        data_version=dg.DataVersion(data_hash) if data_hash else None,
    )


def _common(run: StageRun, foundry: Foundry, data_hash: str | None, config: StageConfig) -> dict[str, Any]:
    counted = counts(run.result) if isinstance(run.result, StageResult) else {}
    departs = "overrides" if config.overrides else "" if foundry.is_as_tracked else "another profile"
    unrecorded = f"not recorded: {departs or 'no DVC repository, or switched off'}"
    return {
        **counted,
        **column_schema(run.folder),
        "folder": dg.MetadataValue.path(run.folder),
        "profile": run.params.profile,
        "dvc_hash": data_hash or unrecorded,
        "mlflow": mlflow_link(foundry.folder),
        **({"overrides": config.overrides} if config.overrides else {}),
    }
