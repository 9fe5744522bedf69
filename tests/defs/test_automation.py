import os

import dagster as dg
import pytest

from dagster_project.definitions import defs as load_defs
from dagster_project.defs.automation import failure_alert, new_source_data, weekly_retraining
from dagster_project.defs.partitions import SOURCE_SHARDS
from dagster_project.defs.resources import Foundry
from dagster_project.defs.sources.source_shards import source_shards
from editfoundry.retraining.alert import WEBHOOK_VARIABLE


@pytest.fixture(scope="module")
def repository():
    return load_defs().get_repository_def()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tick(instance, foundry, cursor=None):
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"foundry": foundry})
    return new_source_data(context)


def arrive(foundry, *names):
    foundry.paths.incoming.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = foundry.paths.incoming / f"{name}.csv"
        path.write_text("caption\na dog on grass\n")
        os.utime(path, (0, 0))


def test_nothing_but_the_alert_runs_unless_a_person_switches_it_on(repository):
    running = {s.name for s in repository.sensor_defs if s.default_status == dg.DefaultSensorStatus.RUNNING}
    assert running == {"failure_alert"}
    assert [s.default_status for s in repository.schedule_defs] == [dg.DefaultScheduleStatus.STOPPED]


def test_retraining_is_weekly_and_takes_every_stage_and_the_gate(repository):
    assert weekly_retraining.cron_schedule == "0 3 * * 1"
    made = {key.to_user_string() for key in repository.get_job("retraining").asset_layer.executable_asset_keys}
    assert made == {
        "captions",
        "quadruples",
        "editworld_text",
        "clips",
        "frame_pairs",
        "editworld_video",
        "rehearsal",
        "dataset",
        "editworld",
        "editworld_report",
        "champion_gate",
    }


def test_a_thousand_tables_become_a_thousand_partitions_in_one_look_and_are_not_asked_for_twice(instance, tmp_path):
    foundry = Foundry(root=str(tmp_path))
    arrive(foundry, *(f"shard-{n}" for n in range(1000)))
    first = tick(instance, foundry)
    assert len(first.run_requests) == len({run.run_key for run in first.run_requests}) == 1000
    assert {run.job_name for run in first.run_requests} == {"source_shard"}
    [request] = first.dynamic_partitions_requests
    assert request.partitions_def_name == SOURCE_SHARDS.name and len(request.partition_keys) == 1000
    second = tick(instance, foundry, first.cursor)
    assert not second.run_requests
    assert second.skip_reason.skip_message.startswith("waiting for source shards: shard-0, ")


def test_retraining_is_asked_for_once_all_shards_are_worked_on(instance, tmp_path):
    foundry = Foundry(root=str(tmp_path))
    arrive(foundry, "cats", "dogs")
    first = tick(instance, foundry)
    instance.add_dynamic_partitions(SOURCE_SHARDS.name, ["cats", "dogs"])
    for name in ("cats", "dogs"):
        instance.report_runless_asset_event(dg.AssetMaterialization(source_shards.key, partition=name))
    due = tick(instance, foundry, first.cursor)
    assert [run.job_name for run in due.run_requests] == ["retraining"]
    assert tick(instance, foundry, due.cursor).skip_reason.skip_message == "all that arrived is taken in"


def test_a_table_whose_run_failed_is_set_aside_and_the_rest_is_retrained_on(instance, tmp_path):
    foundry = Foundry(root=str(tmp_path))
    arrive(foundry, "cats", "damaged")
    first = tick(instance, foundry)
    instance.add_dynamic_partitions(SOURCE_SHARDS.name, ["cats", "damaged"])
    instance.report_runless_asset_event(dg.AssetMaterialization(source_shards.key, partition="cats"))
    waiting = tick(instance, foundry, first.cursor)
    assert waiting.skip_reason.skip_message == "waiting for source shards: damaged"
    (key,) = (run.run_key for run in first.run_requests if run.partition_key == "damaged")
    failed = dg.DagsterRun(job_name="source_shard", status=dg.DagsterRunStatus.FAILURE, tags={"dagster/run_key": key})
    instance.add_run(failed)
    due = tick(instance, foundry, waiting.cursor)
    assert [run.job_name for run in due.run_requests] == ["retraining"]
    said = tick(instance, foundry, due.cursor).skip_reason.skip_message
    assert said == "all that arrived is taken in; set aside, since their runs failed: damaged"


def test_no_table_is_said_so(instance, tmp_path):
    assert tick(instance, Foundry(root=str(tmp_path))).skip_reason.skip_message == "no table has arrived"


def test_a_failed_run_leaves_one_line_that_says_why(instance, monkeypatch, capfd):
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)

    @dg.asset
    def captions():
        raise dg.Failure("data/incoming/cats.csv: no caption column")

    job = dg.define_asset_job("retraining")
    broken = dg.Definitions(assets=[captions], jobs=[job]).get_job_def("retraining")
    result = broken.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        "failure_alert", result.get_run_failure_event(), instance, result.dagster_run
    ).for_run_failure()
    capfd.readouterr()
    failure_alert(context)
    [line] = [line for line in capfd.readouterr().err.splitlines() if "retraining failed" in line]
    assert line.endswith("captions: data/incoming/cats.csv: no caption column")


def test_a_change_upstream_asks_for_the_next_stage_only_behind_its_blocking_checks():
    condition = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()

    @dg.asset
    def source():
        return dg.MaterializeResult(value=None)

    @dg.asset_check(asset=source, blocking=True)
    def holds(context: dg.AssetCheckExecutionContext):
        return dg.AssetCheckResult(passed=context.run.tags.get("good") == "yes")

    @dg.asset(deps=[source], automation_condition=condition)
    def derived():
        return None

    defs = dg.Definitions(assets=[source, derived], asset_checks=[holds])
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        cursor = dg.evaluate_automation_conditions(defs, instance).cursor

        def requested(good):
            nonlocal cursor
            job.execute_in_process(
                instance=instance,
                tags={"good": good},
                raise_on_error=False,
                asset_selection=[
                    source.key,
                ],
            )
            result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
            cursor = result.cursor
            return result.total_requested

        assert requested("no") == 0
        assert requested("yes") == 1
