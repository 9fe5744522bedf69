import json

import numpy as np
import pytest
from html_outline import check_self_contained
from run_folders import METRICS, item, write_run

from editfoundry.errors import BadInputError
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.reports.compare import compare_reports
from editfoundry.evaluation.reports.compare_page import terminal_tables, write_comparison


def scored(editor, scores, **fields):
    """Items of one editor, by id and CLIP score."""
    return [item(editor, name, {"clip_score": value, "l1": 0.5}, **fields) for name, value in scores.items()]


def test_two_runs_over_the_same_items_are_subtracted_pair_by_pair(tmp_path):
    before, after = {"a": 0.1, "b": 0.3, "c": 0.2}, {"a": 0.2, "b": 0.5, "c": 0.2}
    folders = [write_run(tmp_path / n, scored("E", s)) for n, s in (("one", before), ("two", after))]
    comparison = compare_reports(folders)
    (only,) = comparison.benchmarks
    difference = only.pairs[0].differences["overall"]["clip_score"]
    assert difference["value"] == pytest.approx(np.mean([0.1, 0.2, 0.0])) and difference["n"] == 3
    assert -1e-9 < difference["low"] < difference["value"] < difference["high"] < 0.2 + 1e-9
    assert only.statements == ["two: E against one: E: all 3 items are the same."] and comparison.statements == []
    write_comparison(tmp_path / "out.html", comparison, "two <runs>")
    page = check_self_contained((tmp_path / "out.html").read_text())
    assert "+0.1000 n 3" in page.text and "two: E − one: E" in page.text
    assert terminal_tables(only)[0].row_count == 2


@pytest.mark.parametrize(("count", "metric", "verdict"), [(7, "clip_score", "unclear"), (8, "clip_score", "better"),
                                                          (8, "l1", "worse")])  # fmt: skip
def test_a_gain_is_called_one_by_the_way_of_its_metric_and_from_eight_items_on(tmp_path, count, metric, verdict):
    folders = [
        write_run(tmp_path / n, [item("E", f"i{k}", {metric: score + k}) for k in range(count)])
        for n, score in (("one", 0.1), ("two", 0.2))
    ]
    table = compare_reports(folders).benchmarks[0].tables[0]
    assert table.rows[0].cells[0].css == verdict


def test_items_that_differ_are_left_out_and_told(tmp_path):
    one = write_run(tmp_path / "one", scored("E", {"a": 0.1, "b": 0.3, "c": 0.2}))
    other = scored("E", {"a": 0.2, "d": 0.9}) + scored("E", {"b": 0.9}, instruction="Do something else.")
    comparison = compare_reports([one, write_run(tmp_path / "two", other)])
    (only,) = comparison.benchmarks
    assert only.pairs[0].differences["overall"]["clip_score"]["value"] == pytest.approx(0.1)
    assert "1 items are the same (3 items in one and 3 in the other)" in only.statements[0]
    assert "1 more share an id and ask for something else" in only.statements[0]


def test_different_benchmarks_and_models_are_never_subtracted(tmp_path):
    folders = [
        write_run(tmp_path / name, scored("E", {"a": 0.1}), name=benchmark)
        for name, benchmark in (("one", "x"), ("two", "y"))
    ]
    apart = compare_reports(folders)
    assert "The benchmarks differ: x is in one alone; y is in two alone." in apart.statements[0]
    assert [b.pairs for b in apart.benchmarks] == [[], []]
    other_clip = {**METRICS, "clip_score": {**METRICS["clip_score"], "model": "clip-large@1"}}
    third = write_run(tmp_path / "three", scored("E", {"a": 0.1}), name="x", metrics=other_clip)
    (only,) = compare_reports([folders[0], third]).benchmarks
    assert list(only.pairs[0].differences["overall"]) == ["l1"]
    assert "CLIP score was measured with model clip-tiny@0 in one and clip-large@1 in three" in only.statements[0]


def lineage_report(folder, correct):
    """A report of the lineage with one benchmark beside its main one."""
    rows = [
        {"benchmark": name, "editor": editor, "id": f"{name}-{n}", "category": "Long-Term", "rule": "r", "seed": 1,
         "correct": bool(right), "outcome": "truth" if right else "input", "clip_score": 0.5, "preservation_mse": 0.0,
         "preservation_psnr": "inf", "failure": None, "detail": ""}
        for name in ("main", "other") for editor in ("base", "fine_tuned") for n, right in enumerate(correct[editor])
    ]  # fmt: skip
    interval = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 2}
    part = {"overall": {"outcome_accuracy": interval}, "by_category": {}, "outcomes": {}, "failures": {}}
    summary = {"num_cases": 2, "base": part, "fine_tuned": part, "clip": {"model": "clip-tiny@0"}, "seed": 0}
    others = {"other": {**summary, "benchmark": "other"}}
    folder.mkdir()
    write_json(folder / "metrics.json", rows)
    write_json(folder / "summary.json", {**summary, "benchmark": "main", "other_benchmarks": others})
    return folder


def test_reports_of_the_lineage_are_compared_benchmark_by_benchmark(tmp_path):
    one = lineage_report(tmp_path / "one", {"base": [0, 0], "fine_tuned": [0, 1]})
    two = lineage_report(tmp_path / "two", {"base": [0, 0], "fine_tuned": [1, 1]})
    comparison = compare_reports([one, two])
    assert [b.benchmark for b in comparison.benchmarks] == ["main", "other"]
    paired = comparison.to_dict()["benchmarks"]["other"]["paired"]
    assert paired["two: fine_tuned - one: fine_tuned"]["overall"]["outcome"]["value"] == 0.5
    assert paired["two: base - one: base"]["overall"]["outcome"]["value"] == 0.0
    assert json.dumps(comparison.to_dict())


def test_means_without_items_stand_beside_each_other_and_are_not_subtracted(tmp_path):
    one = lineage_report(tmp_path / "one", {"base": [0, 0], "fine_tuned": [0, 1]})
    two = lineage_report(tmp_path / "two", {"base": [0, 0], "fine_tuned": [1, 1]})
    (two / "metrics.json").unlink()
    main = compare_reports([one, two]).benchmarks[0]
    assert main.pairs == [] and "two has means alone and no items" in main.statements[0]
    assert [c.text for c in main.means.rows[0].cells] == ["0.00", "0.50", "0.50", "0.50"]


def test_one_report_or_none_is_refused(tmp_path):
    one = write_run(tmp_path / "one", scored("E", {"a": 0.1}))
    with pytest.raises(BadInputError, match="two reports or more"):
        compare_reports([one])
    with pytest.raises(BadInputError, match="holds neither"):
        compare_reports([one, tmp_path])


def test_the_commands_report_and_compare_write_their_pages(tmp_path, capsys):
    from editfoundry.cli import app

    folders = [write_run(tmp_path / n, scored("E", {"a": score})) for n, score in (("one", 0.1), ("two", 0.2))]
    app(["report", str(folders[0]), "--seed", "5", "--json"], standalone_mode=False)
    written = json.loads(capsys.readouterr().out)
    assert json.loads((folders[0] / "summary.json").read_text())["seed"] == 5
    check_self_contained((folders[0] / "report.html").read_text())
    assert written["report"] == str(folders[0] / "report.html")
    page = tmp_path / "difference.html"
    app(["compare", *map(str, folders), "--out", str(page), "--json"], standalone_mode=False)
    paired = json.loads(capsys.readouterr().out)["benchmarks"]["made-up"]["paired"]["two: E - one: E"]
    assert paired["overall"]["clip_score"]["value"] == pytest.approx(0.1)
    app(["compare", *map(str, folders)], standalone_mode=False)
    assert "all 1 items are the same" in capsys.readouterr().out
    with pytest.raises(BadInputError, match="is an .html file"):
        app(["compare", *map(str, folders), "--out", "x.pdf"], standalone_mode=False)
