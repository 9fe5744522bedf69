import json
from dataclasses import replace

import numpy as np
import pytest
from run_folders import item, write_run

from editfoundry.cli.evaluate import _remarks
from editfoundry.errors import BadInputError
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION
from editfoundry.evaluation.reports.caveats import caveats
from editfoundry.evaluation.reports.report_tables import metric_table
from editfoundry.evaluation.reports.run_results import read_run
from editfoundry.evaluation.reports.run_summary import summarise_run

A = {"a": 0.2, "b": 0.4, "d": 0.6}
B = {"b": 0.5, "c": 0.1, "d": 0.5, "e": 0.9}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """A fails on c and was not run on e; B was not run on a."""
    items = [
        *(item("A", i, {"clip_score": A[i], "right": 1.0, "preservation_psnr": "inf"}) for i in ("a", "b", "d")),
        item("A", "c", {"clip_score": None, "right": None}, failure="crashed", category="Story-Type"),
        *(
            item(
                "B",
                i,
                {"clip_score": B[i], "right": 0.0, "preservation_psnr": 20.0 if i == "b" else "inf"},
                category="Story-Type" if i == "c" else "Long-Term",
            )
            for i in B
        ),
    ]
    return summarise_run(read_run(write_run(tmp_path_factory.mktemp("run"), items)), seed=0)


def test_means_are_over_what_was_scored_and_say_how_many(summary):
    first = summary["A"]["overall"]["clip_score"]
    assert first["value"] == pytest.approx(np.mean([0.2, 0.4, 0.6]))
    assert first["n"] == 3
    assert 0.2 <= first["low"] <= first["value"] <= first["high"] <= 0.6
    assert summary["B"]["by_category"]["Long-Term"]["clip_score"]["value"] == pytest.approx(np.mean([0.5, 0.5, 0.9]))
    assert summary["A"]["by_category"]["Story-Type"]["clip_score"] == {"value": None, "low": None, "high": None, "n": 0}


def test_a_failed_edit_is_counted_and_wrong_and_in_no_other_mean(summary):
    assert summary["A"]["num_failed"] == 1
    assert summary["failures"] == {"A": {"crashed": 1}, "B": {}}
    assert summary["A"]["overall"]["right"] == pytest.approx({"value": 0.75, "low": 0.25, "high": 1.0, "n": 4})


def test_infinite_psnrs_count_as_sixty_decibels_and_are_counted(summary):
    assert summary["B"]["overall"]["preservation_psnr"]["value"] == pytest.approx(np.mean([20, 60, 60, 60]))
    assert summary["B"]["overall"]["preservation_psnr"]["num_infinite"] == 3
    assert summary["A"]["by_category"]["Long-Term"]["preservation_psnr"]["num_infinite"] == 3


def test_differences_are_over_the_items_that_both_have_a_score_for(summary):
    difference = summary["paired"]["B - A"]
    assert difference["num_common"] == 3
    assert difference["overall"]["clip_score"]["value"] == pytest.approx(np.mean([0.5 - 0.4, 0.5 - 0.6]))
    assert difference["overall"]["clip_score"]["n"] == 2
    assert difference["overall"]["right"]["value"] == pytest.approx(np.mean([-1, 0, -1]))


def test_a_metric_without_weights_has_no_figure(summary):
    assert summary["A"]["overall"]["lpips"] == {"value": None, "low": None, "high": None, "n": 0}
    assert summary["metrics"]["lpips"]["missing"] == "the profile names no lpips weights"


def test_rows_are_by_branch_and_category_in_the_papers_order_and_turns_apart(tmp_path):
    places = [
        ("video", "Exaggeration", 1),
        ("video", "Physical-Trans", 0),
        ("text", "Story-Type", 0),
        ("text", "Long-Term", 0),
    ]
    rows = [
        item("A", f"i{n}", {"l1": float(n)}, branch=branch, category=category, turn=turn)
        for n, (branch, category, turn) in enumerate(places)
    ]
    summary = summarise_run(read_run(write_run(tmp_path, rows)))
    order = ["text: Long-Term", "text: Story-Type", "video: Physical-Trans", "video: Exaggeration"]
    assert list(summary["A"]["by_category"]) == order
    assert {b: part["l1"]["value"] for b, part in summary["A"]["by_branch"].items()} == {"text": 2.5, "video": 0.5}
    assert {t: part["l1"]["value"] for t, part in summary["A"]["by_turn"].items()} == {"0": 2.0, "1": 0.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("editors"), "lacks 'editors'"),
        (lambda d: d["items"].append(d["items"][0]), "is there twice"),
        (lambda d: d["items"][0].update(editor="C"), "none of its editors"),
        (lambda d: d["items"][0]["scores"].update(l1="inf"), "item 1: l1 is 'inf'"),
        (lambda d: d["items"][0].pop("id"), "item 1: lacks 'id'"),
        (lambda d: d["items"][0].update(id="../a"), "'../a' cannot name a file"),
        (lambda d: d["editors"].update(paired={}), "called 'paired'"),
        (lambda d: d.update(benchmark={}), "metrics.json: benchmark: lacks 'name'"),
        (lambda d: d["benchmark"].update(extra=[5]), "metrics.json: benchmark: extra: has 5, which is no text"),
        (lambda d: d["benchmark"].update(missing=[{}]), "metrics.json: benchmark: missing 1: lacks 'id'"),
        (lambda d: d.update(metrics=["right"]), r"metrics.json: 'metrics' is \['right'\], not a mapping"),
        (lambda d: d["metrics"].update(right=None), "metrics.json: metric right: is None, not a mapping"),
        (lambda d: d["metrics"]["l1"].update(decimals="x"), "metrics.json: metric l1: 'decimals' is 'x'"),
        (lambda d: d.update(editors=None), "metrics.json: lacks 'editors'"),
        (lambda d: d["editors"]["A"].update(seconds_per_edit="x"), "metrics.json: editor A: 'seconds_per_edit' is 'x'"),
        (lambda d: d.update(items={"a": 1}), "metrics.json: 'items' is {'a': 1}, not a list"),
        (lambda d: d.update(made="x"), "metrics.json: 'made' is 'x', not a mapping"),
        (lambda d: d.update(controls=["x"]), "control 1: is 'x', not a mapping"),
        (lambda d: d["items"][0].update(turn="x"), "item 1: 'turn' is 'x', not a whole number"),
        (lambda d: d["items"][0].update(turn=True), "item 1: 'turn' is True, not a whole number"),
        (lambda d: d["items"][0].update(group=[1]), r"item 1: 'group' is \[1\], not a text"),
        (lambda d: d["items"][0].update(parts=["a"]), r"item 1: 'parts' is \['a'\], not a mapping"),
        (lambda d: d["items"][0].update(parts={"a": 5}), "item 1: parts: 'a' is 5, not a text"),
        (lambda d: d["items"][0].update(undefined=["a"]), "item 1: 'undefined' is"),
    ],
)
def test_a_run_that_is_not_one_is_refused_with_its_place(tmp_path, change, said):
    path = write_run(tmp_path, [item("A", "a", {"l1": 1.0})]) / "metrics.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInputError, match=said):
        read_run(tmp_path)


def test_a_folder_without_metrics_or_with_half_of_them_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="no such file"):
        read_run(tmp_path)
    for half in ('{"items": [', '{"items":' + "[" * 100_000):
        (tmp_path / "metrics.json").write_text(half)
        with pytest.raises(BadInputError, match="not readable as JSON"):
            read_run(tmp_path)


def test_further_parts_have_means_of_their_own_over_each_way_in_which_items_are_divided(tmp_path):
    parts = {"a": {"attribute": "size"}, "b": {"attribute": "colour"}, "d": {"attribute": "size", "scene": "indoor"}}
    items = [item("A", i, {"clip_score": A[i]}, parts=own) for i, own in parts.items()]
    found = summarise_run(read_run(write_run(tmp_path, items)))
    means = {name: part["clip_score"]["value"] for name, part in found["A"]["by_part"].items()}
    assert means == {
        "attribute: colour": pytest.approx(0.4),
        "attribute: size": pytest.approx(0.4),
        "scene: indoor": pytest.approx(0.6),
    }
    labels = [row.label for row in metric_table(found, "clip_score").rows]
    assert labels == ["All", "Long-Term", "attribute: colour", "attribute: size", "scene: indoor"]


def test_what_is_specific_is_drawn_by_groups_as_everything_is(tmp_path):
    # Three prompts about each of eight pictures, all right or all wrong, and never right by another's instruction.
    rows = [
        item(editor, f"{picture}-{prompt}", {"right": float(picture % 2 == (editor == "B"))}, group=str(picture))
        for editor in "AB"
        for picture in range(8)
        for prompt in range(3)
    ]
    run = read_run(write_run(tmp_path, rows))
    others = {
        editor: {i: replace(one, scores={"right": 0.0}) for i, one in items.items()}
        for editor, items in run.items.items()
    }
    summary = summarise_run(replace(run, controls={ANOTHER_INSTRUCTION: others}))
    assert summary["controls"]["specific"] == {editor: summary[editor]["overall"]["right"] for editor in "AB"}
    assert summary["controls"]["specific_paired"]["B - A"] == summary["paired"]["B - A"]["overall"]["right"]


def test_entries_that_repeat_others_are_told_apart_from_pictures_that_no_entry_names(tmp_path):
    extra = ["3: listed again", "4: listed again", "stray.png"]
    run = read_run(write_run(tmp_path, [item("A", "a", {"clip_score": 0.2})], extra=extra))
    told = caveats(run, summarise_run(run, seed=0), None)
    assert "2 entries of the benchmark repeat others, and were asked for once." in told
    assert "1 picture in the benchmark's folder belong to no entry and were left alone." in told
    assert _remarks(json.loads((tmp_path / "metrics.json").read_text()))[:2] == [
        "entries that repeat others: 2",
        "pictures that no entry names: 1",
    ]
