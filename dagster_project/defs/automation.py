"""When what runs by itself: every week, when source data arrives, when something upstream changed, when a run fails.

Everything but the alert is off until a person switches it on.
"""

import dagster as dg

from dagster_project.defs.partitions import SOURCE_SHARDS
from dagster_project.defs.resources import Foundry
from dagster_project.defs.sources.source_shards import source_shard, source_shards
from editfoundry.retraining.alert import alert_text, post_alert

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

_RUN_KEY_TAG = "dagster/run_key"
"""Dagster's tag for the key of a sensor's request; who starts the run anew keeps it."""

retraining = dg.define_asset_job(
    "retraining",
    selection=dg.AssetSelection.assets("champion_gate").upstream() - dg.AssetSelection.assets("source_shards"),
    description="The whole lineage, and the gate: only what is missing or has changed is made.",
)

weekly_retraining = dg.ScheduleDefinition(
    name="weekly_retraining",
    job=retraining,
    cron_schedule="0 3 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Mondays at three in the morning, UTC.",
)

automation = dg.AutomationConditionSensorDefinition(
    "upstream_changes",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.STOPPED,
    minimum_interval_seconds=60,
    description="Materializes an asset when what it depends on changed and passed its blocking checks.",
)


@dg.sensor(jobs=[source_shard, retraining], minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.STOPPED)
def new_source_data(context: dg.SensorEvaluationContext, foundry: Foundry) -> dg.SensorResult:
    """Register each table that arrives as a source shard, work on it, and retrain once all of them are worked on."""
    from editfoundry.retraining.arrivals import Seen, arrived_tables, plan_arrivals

    tables = arrived_tables(foundry.paths.incoming, foundry.incoming_address or None, foundry.settle_seconds)
    instance, seen = context.instance, Seen.from_text(context.cursor)
    finished = instance.get_materialized_partitions(source_shards.key)
    unfinished = {name: mark for name, mark in tables.items() if name not in finished}
    failed = _failed_shards(instance, unfinished)
    num_running = instance.get_runs_count(dg.RunsFilter(job_name=source_shard.name, statuses=UNFINISHED))
    plan = plan_arrivals(tables, seen, finished, num_running, failed)
    runs = [
        dg.RunRequest(run_key=_run_key(name, mark), job_name=source_shard.name, partition_key=name)
        for name, mark in plan.work.items()
    ]
    if plan.retrain:
        runs.append(dg.RunRequest(run_key=plan.retrain, job_name=retraining.name))
    return dg.SensorResult(
        run_requests=runs,
        skip_reason=None if runs else _why_nothing(tables, plan.waiting, failed),
        cursor=plan.seen.to_text(),
        dynamic_partitions_requests=[SOURCE_SHARDS.build_add_request(list(plan.work))] if plan.work else [],
    )


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Log one readable line for a failed run, and post it to EDITFOUNDRY_ALERT_WEBHOOK, if that is set."""
    failures = [
        (event.step_key or "run", _message(event))
        for event in context.get_step_failure_events()
        if event.is_step_failure
    ]
    text = alert_text(context.dagster_run.job_name, context.dagster_run.run_id, failures)
    context.log.error(text)
    post_alert(text)


def _run_key(shard: str, mark: str) -> str:
    return f"{shard} {mark}"


def _failed_shards(instance: dg.DagsterInstance, requested: dict[str, str]) -> list[str]:
    """Return the source shards of which a run over the table that lies there now has failed."""
    if not requested:
        return []
    runs = instance.get_runs(dg.RunsFilter(job_name=source_shard.name, statuses=[dg.DagsterRunStatus.FAILURE]))
    keys = {run.tags.get(_RUN_KEY_TAG) for run in runs}
    return [name for name, mark in requested.items() if _run_key(name, mark) in keys]


def _why_nothing(tables: dict[str, str], waiting: tuple[str, ...], failed: list[str]) -> str:
    if not tables:
        return "no table has arrived"
    set_aside = f"; set aside, since their runs failed: {', '.join(failed[:10])}" if failed else ""
    if waiting:
        return f"waiting for source shards: {', '.join(waiting[:10])}{set_aside}"
    return f"all that arrived is taken in{set_aside}"


def _message(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message if error is not None else ""
