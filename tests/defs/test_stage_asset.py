import math
from dataclasses import replace

import dagster as dg
import pytest
import yaml

from dagster_project.defs.resources import DvcRepository, Foundry
from dagster_project.metadata import distributions, shares, table, text_list
from dagster_project.progress import log_progress
from dagster_project.shown import show_of
from dagster_project.stage_asset import stage_asset
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import UnavailableError
from editfoundry.lineage.stages import MAIN_LINE, stage_named
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
    assert all(column.description for column in told["dagster/column_schema"].columns)


@pytest.mark.parametrize("is_asked_with_all", [False, True])
def test_a_run_of_everything_leaves_out_a_line_of_its_own_and_what_depends_on_it(foundry, is_asked_with_all):
    """That is what "Materialize all" on the page of all assets asks for."""
    pairs = "instruct_pix2pix_pairs"
    own = replace(stage_named(pairs), run=lambda request: StageResult(num_in=1, num_out=1), check=None)
    asset = stage_asset(own, lambda made: {})
    after = dg.asset(name="after", deps=[pairs])(lambda: None)
    check = dg.asset_check(asset=pairs, name="pairs_are_there", blocking=True)(
        lambda: dg.AssetCheckResult(passed=False)
    )
    main = [dg.asset(name=stage.name)(lambda: None) for stage in MAIN_LINE] if is_asked_with_all else []
    resources = {"foundry": foundry, "dvc": DvcRepository(mode="off")}
    result = dg.materialize([asset, after, check, *main], resources=resources, raise_on_error=False)
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert result.success is is_asked_with_all and "after" not in made
    assert made == ({stage.name for stage in MAIN_LINE} if is_asked_with_all else {pairs})
    assert "instruct_pix2pix_line" in asset.descriptions_by_key[asset.key]


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


def test_a_picture_shows_every_distribution_and_a_table_its_ends(tmp_path):
    told = distributions([{"clip": 0.1, "judge": None}, {"clip": 0.9}, {"clip": 1 / 3}, {"clip": math.nan}], "scores")
    [row] = [record.data for record in told["scores_summary"].records]
    assert row == {"name": "clip", "count": 3, "lowest": 0.1, "mean": 0.4444, "highest": 0.9}
    assert told["scores"].value.startswith("![histograms: scores](data:image/png;base64,")


def test_what_has_no_score_has_an_empty_table_and_no_picture():
    assert list(distributions([{}, {"clip": None}], "scores")) == ["scores_summary"]


def test_shares_add_up():
    [first, second] = [row.data for row in shares(["a", "b", "a", "a"]).records]
    assert (first, second) == (
        {"category": "a", "count": 3, "share": 0.75},
        {"category": "b", "count": 1, "share": 0.25},
    )


def test_a_table_says_what_each_column_holds_and_of_which_type_it_is():
    made = table([{"case": "a", "gain": None}, {"case": "b", "gain": 2 / 3}], {"case": "Which.", "gain": "How much."})
    assert [(c.name, c.type, c.description) for c in made.schema.columns] == [
        ("case", "string", "Which."),
        ("gain", "float", "How much."),
    ]
    assert [record.data["gain"] for record in made.records] == [None, 0.6667]


def test_a_caption_that_holds_markdown_is_shown_as_it_was_written():
    shown = text_list(["![x](http://tracker.example/p.png)", "a 50 % *off* sale\n# now"]).value
    assert shown.splitlines() == [
        r"- \!\[x\]\(http\://tracker.example/p.png\)",
        r"- a 50 % \*off\* sale \# now",
    ]
