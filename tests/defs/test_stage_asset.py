import dagster as dg
import pytest
import yaml

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import histograms, shares
from dagster_project.progress import log_progress
from dagster_project.shown import show_of
from dagster_project.stage_asset import stage_asset
from editfoundry.errors import UnavailableError
from editfoundry.lineage.stages import stage_named
from editfoundry.profiles import PROFILES_FOLDER
from editfoundry.sources import laion


@pytest.fixture
def foundry(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"captions": {"num_rows": 24, "rows_per_shard": 12}}))
    return Foundry(root=str(tmp_path), max_retries=2, retry_seconds=0.0)


def materialize(foundry, overrides=None):
    captions = stage_named("captions")
    config = {"ops": {"captions": {"config": {"overrides": overrides}}}} if overrides else {}
    resources = {"foundry": foundry, "dvc": DvcRepository(mode="off")}
    asset = stage_asset(captions, show_of(captions))
    return dg.materialize([asset], resources=resources, run_config=config, raise_on_error=False)


def shown(result):
    [materialization] = result.asset_materializations_for_node("captions")
    return {name: value.value for name, value in materialization.metadata.items()}


def failure(result):
    [event] = [event for event in result.all_node_events if event.is_step_failure]
    return event.step_failure_data.error.message


def test_a_materialization_shows_counts_columns_folder_profile_and_what_dvc_has(foundry):
    result = materialize(foundry)
    told = shown(result)
    assert told["num_in"] == 24 == told["num_out"] + told["num_rejected"]
    assert told["folder"] == str(foundry.paths.captions)
    assert told["profile"] == "embedded"
    assert told["dvc_hash"].startswith("not recorded")
    columns = {column.name: column.type for column in told["dagster/column_schema"].columns}
    assert columns["caption"] == "string" and columns["punsafe"] == "double"


def test_the_launchpad_changes_values_of_the_parameters_file(foundry):
    told = shown(materialize(foundry, {"num_rows": 12}))
    assert told["num_in"] == 12
    assert told["dvc_hash"] == "not recorded: overrides"


def test_a_value_that_the_parameters_do_not_have_fails_in_one_line_and_is_not_tried_again(foundry):
    result = materialize(foundry, {"num_row": 12})
    assert "unknown parameter captions.num_row; there are table, num_rows, rows_per_shard" in failure(result)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_service_that_comes_back_costs_a_retry_and_one_that_stays_away_fails_clearly(foundry, monkeypatch):
    real, tries = laion.convert_laion, []

    def away(times):
        def stage(*args, **kwargs):
            tries.append(1)
            if len(tries) <= times:
                raise UnavailableError("the language model at http://127.0.0.1:1 did not answer")
            return real(*args, **kwargs)

        tries.clear()
        monkeypatch.setattr(laion, "convert_laion", stage)

    away(times=1)
    assert materialize(foundry).success and len(tries) == 2
    away(times=9)
    assert "did not answer; run it again later" in failure(materialize(foundry))
    assert len(tries) == 1 + foundry.max_retries


def test_the_profile_is_switched_in_one_place_and_brings_its_parameters(foundry, tmp_path):
    profile = tmp_path / "other.toml"
    shipped = (PROFILES_FOLDER / "embedded.toml").read_text()
    profile.write_text(shipped.replace("attention_resolution = 16", "attention_resolution = 8"))
    other = Foundry(root=foundry.root, profile=str(profile))
    assert other.params.profile == str(profile)
    assert other.params.editworld_text.attention_resolution == 8
    assert other.params.captions == foundry.params.captions
    assert shown(materialize(other))["dvc_hash"] == "not recorded: another profile"


def test_progress_is_logged_at_intervals_and_at_the_end():
    lines, now = [], [0.0]
    progress = log_progress(lines.append, seconds=10, clock=lambda: now[0])
    for done in range(1, 9):
        now[0] += 4
        progress(done, 8)
    assert lines == ["1 of 8", "4 of 8", "7 of 8", "8 of 8"]


def test_histograms_count_every_score_once_and_leave_out_what_is_missing():
    rows = histograms([{"clip": 0.1, "judge": None}, {"clip": 0.9}, {"clip": 0.92}]).records
    assert sum(row.data["count"] for row in rows) == 3
    assert {row.data["score"] for row in rows} == {"clip"}
    assert rows[-1].data["histogram"] == 2 * rows[0].data["histogram"] != ""


def test_shares_add_up():
    [first, second] = [row.data for row in shares(["a", "b", "a", "a"]).records]
    assert (first, second) == (
        {"category": "a", "count": 3, "share": 0.75},
        {"category": "b", "count": 1, "share": 0.25},
    )
