import json
import math

import dagster as dg
import pytest
from PIL import Image

from dagster_project.defs.checkpoints.checks import ends
from dagster_project.defs.checkpoints.checks import loss_falls as loss_falls_of
from dagster_project.defs.checkpoints.checks import loss_is_finite as loss_is_finite_of
from dagster_project.defs.dataset.checks import (
    categories_are_balanced,
    judge_passes_some,
    no_picture_is_missing,
    splits_share_nothing,
)
from dagster_project.defs.reports.checks import report_is_complete as report_is_complete_of
from dagster_project.defs.resources import Foundry
from dagster_project.defs.triplets.checks import every_task_has_pairs
from dagster_project.scores import EDITORS, METRICS, OUTCOME_COLUMNS, headline, missing_scores, outcome_rows
from editfoundry.data.record import WORLD_CATEGORIES, Triplet
from editfoundry.data.rejections import RejectedRow, write_rejections
from editfoundry.data.shards import read_fields, write_triplets

loss_is_finite, loss_falls = loss_is_finite_of("editworld"), loss_falls_of("editworld")
report_is_complete = report_is_complete_of("editworld_report")


@pytest.fixture
def foundry(tmp_path):
    return Foundry(root=str(tmp_path))


def triplet(colour, instruction="melt"):
    before, after = Image.new("RGB", (8, 8), colour), Image.new("RGB", (8, 8), "black")
    return Triplet(instruction=instruction, input_image=before, output_image=after, input_caption=f"a {colour} square")


def write_dataset(foundry, **splits):
    for split, triplets in splits.items():
        folder = foundry.paths.dataset / split
        folder.mkdir(parents=True)
        write_triplets(folder / "00000.tar", triplets)


def of_category(category, number):
    colour = (number, len(category), 100)
    before, after = Image.new("RGB", (8, 8), colour), Image.new("RGB", (8, 8), "black")
    return Triplet(instruction=f"{category} {number}", input_image=before, output_image=after, category=category)


def write_training(foundry, losses):
    foundry.paths.editworld.mkdir(parents=True)
    (foundry.paths.editworld / "training.json").write_text(json.dumps({"loss_curve": list(enumerate(losses, start=1))}))


def scores(value):
    cell = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 12}
    return {metric: dict(cell) for metric in METRICS}


def summary():
    editors = {
        e: {"overall": scores(v), "by_category": {"Long-Term": scores(v)}}
        for e, v in zip(EDITORS, (0.2, 0.5), strict=True)
    }
    return {"num_items": 12, **editors}


def write_report(foundry, content, page="<html></html>"):
    folder = foundry.paths.editworld_report
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"benchmarks": {"tinyworld-world": content}}))
    (folder / "report.html").write_text(page)


def test_splits_that_are_apart_pass(foundry):
    write_dataset(foundry, train=[triplet("red")], validation=[triplet("green")], test=[triplet("blue")])
    assert splits_share_nothing(foundry=foundry).passed


def test_an_input_picture_in_two_splits_fails(foundry):
    write_dataset(foundry, train=[triplet("red")], test=[triplet("red", "freeze")])
    result = splits_share_nothing(foundry=foundry)
    assert not result.passed
    assert result.metadata["num_leaks"].value == 1


def test_balanced_categories_pass_a_rare_one_warns_and_one_that_fills_the_split_fails(tmp_path):
    def check(name, sizes):
        foundry = Foundry(root=str(tmp_path / name))
        write_dataset(foundry, train=[of_category(c, n) for c, size in sizes.items() for n in range(size)])
        return categories_are_balanced(foundry=foundry)

    assert check("even", dict.fromkeys(WORLD_CATEGORIES, 2)).passed
    rare = check("rare", dict.fromkeys(WORLD_CATEGORIES[1:], 2))
    assert (rare.passed, rare.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert rare.description == "rare: Long-Term"
    filled = check("filled", {**dict.fromkeys(WORLD_CATEGORIES, 1), "Long-Term": 20})
    assert (filled.passed, filled.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert filled.description == "Long-Term has 77%"


def test_without_a_judge_there_is_a_warning_and_with_one_its_pass_rate_must_lie_within_bounds(foundry):
    params = foundry.folder / "params.yaml"
    params.write_text("profile: embedded\n")
    none = judge_passes_some(foundry=foundry)
    assert (none.passed, none.severity) == (False, dg.AssetCheckSeverity.WARN)
    params.write_text("dataset: {judge: {}}\n")
    write_dataset(foundry, train=[triplet("red")])
    all_pass = judge_passes_some(foundry=foundry)
    assert (all_pass.passed, all_pass.severity) == (False, dg.AssetCheckSeverity.ERROR)
    dropped = [RejectedRow("1", "low judge_instruction", "", {}), RejectedRow("2", "low clip_image", "", {})]
    write_rejections(foundry.paths.dataset / "00000.parquet", dropped)
    half = judge_passes_some(foundry=foundry)
    assert half.passed and half.metadata["pass_rate"].value == 0.5


def test_a_picture_that_is_not_where_the_index_has_it_is_named(foundry):
    write_dataset(foundry, train=[triplet("red")], test=[triplet("blue")])
    assert no_picture_is_missing(foundry=foundry).passed
    tar = foundry.paths.dataset / "test" / "00000.tar"
    [row] = read_fields(tar)
    data = bytearray(tar.read_bytes())
    data[row["output_offset"]] = 0
    tar.write_bytes(data)
    result = no_picture_is_missing(foundry=foundry)
    assert not result.passed
    assert result.description == f"00000.tar: record {row['id']} has no output picture"


def test_a_loss_that_falls_passes_and_one_that_rises_warns(foundry, tmp_path):
    write_training(foundry, [1.0, 0.8, 0.9, 0.5, 0.4, 0.3])
    assert loss_is_finite(foundry=foundry).passed
    assert loss_falls(foundry=foundry).passed
    rising = Foundry(root=str(tmp_path / "rising"))
    write_training(rising, [0.3, 0.35, 0.4])
    result = loss_falls(foundry=rising)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_loss_that_diverges_blocks(foundry):
    write_training(foundry, [0.3, 0.4, 0.5])
    assert loss_falls(foundry=foundry).severity == dg.AssetCheckSeverity.ERROR


def test_a_loss_that_is_not_a_number_fails_and_names_the_step(foundry):
    write_training(foundry, [1.0, math.nan, 0.5])
    result = loss_is_finite(foundry=foundry)
    assert not result.passed
    assert result.description == "first at step 2"


def test_an_empty_curve_is_no_training(foundry):
    write_training(foundry, [])
    assert not loss_is_finite(foundry=foundry).passed
    assert not loss_falls(foundry=foundry).passed


def test_the_ends_of_a_curve_are_the_means_of_its_first_and_last_fifth():
    assert ends([float(n) for n in range(10)]) == (0.5, 8.5)


def test_a_whole_report_passes(foundry):
    write_report(foundry, summary())
    assert report_is_complete(foundry=foundry).passed


def test_a_report_without_an_interval_fails_and_names_it(foundry):
    broken = summary()
    del broken["fine_tuned"]["by_category"]["Long-Term"]["clip_score"]["low"]
    write_report(foundry, broken)
    result = report_is_complete(foundry=foundry)
    assert not result.passed
    assert result.description == "fine_tuned.by_category.Long-Term.clip_score.low"


def test_a_report_that_loads_from_elsewhere_fails(foundry):
    write_report(foundry, summary(), page='<html><img src="https://example.org/a.png"></html>')
    assert not report_is_complete(foundry=foundry).passed


def test_a_report_that_is_not_there_fails(foundry):
    assert report_is_complete(foundry=foundry).description == "not there: summary.json, report.html"


def test_an_empty_summary_lacks_every_score():
    assert len(missing_scores({})) == len(EDITORS) * 2 * len(METRICS) * 4


def test_the_headline_tells_the_gain_in_right_edits():
    assert headline(summary())["right_gain"] == pytest.approx(0.3)


def test_the_table_has_a_row_for_all_cases_and_one_for_each_category():
    rows = outcome_rows(summary())
    assert [row["category"] for row in rows] == ["all", "Long-Term"]
    assert rows[0]["gain"] == pytest.approx(0.3) and rows[0]["tuned"] - rows[0]["base"] == pytest.approx(0.3)
    assert all(list(row) == list(OUTCOME_COLUMNS) for row in rows)


def test_a_task_without_pairs_and_one_with_most_of_them_are_warnings(foundry):
    folder = foundry.paths.emu_edit_pairs
    folder.mkdir(parents=True)
    asked_for = "[add, local, remove, style]"
    (foundry.folder / "params.yaml").write_text(f"emu_edit_pairs: {{tasks: {asked_for}, tasks_per_caption: 1}}")
    tasks = [*["local"] * 3, "add", "style", "style"]
    made = [Triplet(**{**vars(of_category(task, n)), "task": task}) for n, task in enumerate(tasks)]
    write_triplets(folder / "00000.tar", made)
    # Of the task that was asked for nothing was made, and nothing was rejected.
    assert every_task_has_pairs(foundry).description == "remove: no pair"
    (foundry.folder / "params.yaml").write_text("emu_edit_pairs: {tasks: [add, local, style], tasks_per_caption: 1}")
    assert every_task_has_pairs(foundry).passed
    write_rejections(folder / "00000.tar", [RejectedRow("1", "object not found", "", {"task": "remove"})])
    write_triplets(folder / "00001.tar", [Triplet(**{**vars(of_category("text", 9)), "task": "local"})])
    result = every_task_has_pairs(foundry)
    assert not result.passed and result.severity is dg.AssetCheckSeverity.WARN
    assert result.description == "remove: no pair; local: most of all pairs"
    assert result.metadata["kept"].value == {"add": 1, "local": 4, "remove": 0, "style": 2}
