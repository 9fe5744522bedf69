"""One factory for the assets of the lineage: each is made from its stage's record.

What is worth seeing of an asset's output, and how a stage runs that wants a process of its own, are handed to it; what
they all share is here: options, run, metadata, and the version in DVC.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.failures import failing_in_one_line
from dagster_project.metadata import OWNERS, column_schema, counts
from dagster_project.progress import log_progress
from dagster_project.rounding import rounded
from editfoundry.data.stage_result import StageResult
from editfoundry.execution.stage_record import Run, Stage, StageRequest
from editfoundry.lineage.params import Params
from editfoundry.lineage.stages import MAIN_LINE, Paths, check_params, makers, stage_request

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
InProcess = Callable[[dg.AssetExecutionContext, dg.PipesSubprocessClient, StageRequest], StageResult | Path]
"""Runs a stage in a process of its own that Dagster hears through Pipes."""


def stage_asset(
    stage: Stage, show: Show, in_process: InProcess | None = None, freshness: dg.FreshnessPolicy | None = None
) -> dg.AssetsDefinition:
    """Return the asset of a stage: named, described, grouped and placed as its record says.

    Args:
        stage: its record.
        show: returns metadata worth seeing of its output.
        in_process: runs it in a process of its own; by default it runs in the step's.
        freshness: how old the asset may be.
    """
    options: dict[str, Any] = {
        "name": stage.name,
        "description": f"{stage.description} {beside_the_main_line(stage)}".strip(),
        "group_name": stage.group,
        "owners": OWNERS,
        "kinds": set(stage.kinds),
        "pool": GPU_POOL if stage.loads_models else CPU_POOL,
        "deps": [maker.name for maker in makers(stage)],
        "automation_condition": None if stage.line else EAGER,
        "output_required": not stage.line,
        "freshness_policy": freshness,
    }
    if in_process is None:

        @dg.asset(**options)
        def asset(
            context: dg.AssetExecutionContext, config: StageConfig, foundry: Foundry, dvc: DvcRepository
        ) -> Iterator[dg.MaterializeResult]:
            yield from materialize_stage(context, config, foundry, dvc, stage, show)

        return asset

    run_in_process = in_process

    @dg.asset(**options)
    def asset_of_a_process(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        foundry: Foundry,
        dvc: DvcRepository,
        pipes: dg.PipesSubprocessClient,
    ) -> Iterator[dg.MaterializeResult]:
        run = partial(run_in_process, context, pipes)
        yield from materialize_stage(context, config, foundry, dvc, stage, show, run)

    return asset_of_a_process


def line_job(line: str) -> str:
    """Return the name of the job that makes a line of its own."""
    return f"{line}_line"


def beside_the_main_line(stage: Stage) -> str:
    """Return what an asset's page says of a stage of a line of its own: what makes it."""
    return f'Made by the job `{line_job(stage.line)}` or alone, not by "Materialize all".' if stage.line else ""


def is_asked_for_with_all(context: dg.AssetExecutionContext) -> bool:
    """Return whether a run makes the whole main line, as "Materialize all" on the page of all assets does."""
    asked = {key.to_user_string() for key in context.job_def.asset_layer.executable_asset_keys}
    return asked >= {stage.name for stage in MAIN_LINE}


def materialize_stage(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    foundry: Foundry,
    dvc: DvcRepository,
    stage: Stage,
    show: Show,
    run: Run | None = None,
) -> Iterator[dg.MaterializeResult]:
    """Run a stage, record its output in DVC, and yield what to see of it.

    Dagster cannot leave an asset out of "Materialize all". So a stage of a line of its own, which may take hours,
    yields nothing where the whole main line is asked for, and Dagster skips what depends on it.

    Args:
        context: takes the stage's log.
        config: values of the launchpad.
        foundry: folder and parameters.
        dvc: gives the output's hash, which becomes the asset's data version.
        stage: its record.
        show: adds metadata.
        run: runs the stage; by default the record's own function.

    Raises:
        dg.Failure: bad input, or a service that did not come back; the message is one line.
        dg.RetryRequested: a service does not answer for now.
    """
    if stage.line and is_asked_for_with_all(context):
        context.log.warning(f"{stage.name} is left out of a run of everything: start the job {line_job(stage.line)}")
        return
    with failing_in_one_line(context, foundry):
        params = foundry.params_with(stage.name, config.overrides)
        check_params(params, foundry.folder, foundry.folder / foundry.params_file, [stage])
        request = stage_request(stage.name, params, foundry.folder, log_progress(context.log.info))
        result = (run or stage.run)(request)
        made = StageRun(params=params, paths=foundry.paths, folder=request.output, result=result)
        tracked = foundry.is_as_tracked and not config.overrides
        data_hash = dvc.record(foundry.folder, stage) if tracked else None
    yield dg.MaterializeResult(
        metadata=rounded({**show(made), **_common(made, foundry, data_hash, config)}),
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
        **({"overrides": config.overrides} if config.overrides else {}),
    }
