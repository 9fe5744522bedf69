import json

import numpy as np
import pytest
from html_outline import check_self_contained
from run_folders import METRICS, item, write_run

from editfoundry.errors import BadInputError
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports.compare import compare_reports
from editfoundry.evaluation.reports.compare_page import terminal_tables, write_comparison
from editfoundry.evaluation.reports.run_results import read_runs
from editfoundry.evaluation.reports.run_summary import summarise_run

EDITORS = ("base", "fine_tuned")


def scored(editor, scores, **fields):
    """Items of one editor, by id and CLIP score."""
    asked = fields.pop("asked", None)
    hashes = {} if asked is None else {"asked": asked}
    return [
        item(editor, name, {"clip_score": value, "l1": 0.5}, **fields, **{k: v + name for k, v in hashes.items()})
        for name, value in scores.items()
    ]


def test_two_runs_over_the_same_items_are_subtracted_pair_by_pair(tmp_path):
    before, after = {"a": 0.1, "b": 0.3, "c": 0.2}, {"a": 0.2, "b": 0.5, "c": 0.2}
    folders = [write_run(tmp_path / n, scored("E", s)) for n, s in (("one", before), ("two", after))]
    comparison = compare_reports(folders)
    (only,) = comparison.benchmarks
    difference = only.pairs[0].differences["overall"]["clip_score"]
    assert difference["value"] == pytest.approx(np.mean([0.1, 0.2, 0.0])) and difference["n"] == 3
    assert -1e-9 < difference["low"] < difference["value"] < difference["high"] < 0.2 + 1e-9
    assert only.statements == ["two: E against one: E: all 3 items are the same."] and comparison.warnings == []
    write_comparison(tmp_path / "out.html", comparison, "two <runs>", MadeBy())
    page = check_self_contained((tmp_path / "out.html").read_text())
    assert "+0.1000 n 3" in page.text and "two: E − one: E" in page.text
    assert terminal_tables(only)[0].row_count == 2


@pytest.mark.parametrize(
    ("count", "metric", "verdict"), [(7, "clip_score", "unclear"), (8, "clip_score", "better"), (8, "l1", "worse")]
)
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
    assert "1 items are the same (3 items in one and 3 in the other)" in only.warnings[-1]
    assert "1 more share an id and ask for something else" in only.warnings[-1]


def test_different_benchmarks_and_models_are_never_subtracted(tmp_path):
    folders = [
        write_run(tmp_path / name, scored("E", {"a": 0.1}), name=benchmark)
        for name, benchmark in (("one", "x"), ("two", "y"))
    ]
    apart = compare_reports(folders)
    assert "The benchmarks differ: x is in one alone; y is in two alone." in apart.warnings[0]
    assert [b.pairs for b in apart.benchmarks] == [[], []]
    other_clip = {**METRICS, "clip_score": {**METRICS["clip_score"], "model": "clip-large@1"}}
    third = write_run(tmp_path / "three", scored("E", {"a": 0.1}), name="x", metrics=other_clip)
    (only,) = compare_reports([folders[0], third]).benchmarks
    assert list(only.pairs[0].differences["overall"]) == ["l1"]
    assert "CLIP score was measured with model clip-tiny@0 in one and clip-large@1 in three" in only.warnings[0]


def several(folder, right):
    """A report of two benchmarks; the numbers of right edits of two, by editor."""
    runs = {}
    for name in ("main", "other"):
        edits = [
            item(editor, f"{name}-{n}", {"right": float(n < num_right), "preservation_psnr": "inf"})
            for editor, num_right in right.items()
            for n in range(2)
        ]
        runs[name] = json.loads((write_run(folder / name, edits, name=name) / "metrics.json").read_text())
    write_json(folder / "metrics.json", {"benchmarks": runs})
    summaries = {run.name: summarise_run(run) for run in read_runs(folder)}
    write_json(folder / "summary.json", {"benchmarks": summaries})
    return folder


def test_reports_of_several_benchmarks_are_compared_benchmark_by_benchmark(tmp_path):
    one = several(tmp_path / "one", {"base": 0, "fine_tuned": 1})
    two = several(tmp_path / "two", {"base": 0, "fine_tuned": 2})
    comparison = compare_reports([one, two])
    assert [b.benchmark for b in comparison.benchmarks] == ["main", "other"]
    told = json.loads(json.dumps(comparison.to_dict()))["benchmarks"]["other"]["paired"]
    assert told["two: fine_tuned - one: fine_tuned"]["overall"]["right"]["value"] == 0.5
    assert told["two: base - one: base"]["overall"]["right"]["value"] == 0.0


def covered(project, name, right):
    """A lineage's report, whose runs and pictures lie in its project's cache."""
    report, runs = several(project / "reports" / name, right), project / ".cache" / "runs" / name
    runs.mkdir(parents=True)
    for benchmark in ("main", "other"):
        (report / benchmark).rename(runs / benchmark)
    return report


def test_a_lineages_reports_are_compared_with_the_pictures_that_their_project_keeps(tmp_path):
    reports = [covered(tmp_path, name, {"base": 0, "fine_tuned": count}) for name, count in (("one", 1), ("two", 2))]
    comparison = compare_reports(reports)
    for benchmark in comparison.benchmarks:
        (figure,) = benchmark.shown
        assert [image.title for image in figure.images] == [
            "Input",
            *(f"{n}: {e}" for n in ("one", "two") for e in EDITORS),
        ]
        assert all(image.uri for image in figure.images)
    write_comparison(tmp_path / "out.html", comparison, "x", MadeBy())
    page = check_self_contained((tmp_path / "out.html").read_text())
    assert page.tags.count("img") == 2 * 5 and "No pictures" not in page.text


def test_pictures_of_a_later_evaluation_are_not_shown_beside_figures_of_an_earlier_one(tmp_path):
    reports = [covered(tmp_path, name, {"base": 0, "fine_tuned": 1}) for name in ("one", "two")]
    for name in ("one", "two"):
        run = tmp_path / ".cache" / "runs" / name / "main" / "metrics.json"
        run.write_text(run.read_text().replace("1.0", "0.0"))
    comparison = compare_reports(reports)
    assert [len(benchmark.shown) for benchmark in comparison.benchmarks] == [0, 1]
    write_comparison(tmp_path / "out.html", comparison, "x", MadeBy())
    assert check_self_contained((tmp_path / "out.html").read_text()).text.count("No pictures: those of the edits") == 1


def test_means_without_items_stand_beside_each_other_and_are_not_subtracted(tmp_path):
    one = several(tmp_path / "one", {"base": 0, "fine_tuned": 1})
    two = several(tmp_path / "two", {"base": 0, "fine_tuned": 2})
    (two / "metrics.json").unlink()
    main = compare_reports([one, two]).benchmarks[0]
    assert main.pairs == [] and "two has means alone and no items" in main.warnings[0]
    assert [c.text for c in main.means.rows[0].cells] == ["0.00", "0.50", "0.00", "1.00"]


def test_runs_that_asked_for_other_captions_or_pictures_are_not_subtracted(tmp_path):
    one = write_run(tmp_path / "one", scored("E", {"a": 0.1, "b": 0.2}, asked="0123"))
    two = write_run(tmp_path / "two", scored("E", {"a": 0.3, "b": 0.4}, asked="4567"))
    (only,) = compare_reports([one, two]).benchmarks
    assert only.pairs == [] and only.statements == []
    assert "no item is the same" in only.warnings[0]
    assert "2 more share an id and ask for something else: other pictures, texts or noise" in only.warnings[0]


def test_a_run_of_before_hashes_were_noted_is_compared_by_its_texts_and_says_so(tmp_path):
    one = write_run(tmp_path / "one", scored("E", {"a": 0.1}, asked="0123"))
    two = write_run(tmp_path / "two", scored("E", {"a": 0.3}))
    (only,) = compare_reports([one, two]).benchmarks
    assert only.pairs[0].differences["overall"]["clip_score"]["value"] == pytest.approx(0.2)
    assert "of before pictures, captions and seeds were noted" in only.warnings[0]


def test_the_page_shows_every_editor_s_edits_side_by_side_and_no_good_news_in_the_warning_box(tmp_path):
    folders = [
        write_run(tmp_path / n, [item("E", f"i{k}", {"l1": s}, asked=f"{k}") for k in range(9)])
        for n, s in (("one", 0.1), ("two", 0.2))
    ]
    write_comparison(tmp_path / "out.html", compare_reports(folders), "x", MadeBy("2026-01-31 12:00 UTC"))
    html = (tmp_path / "out.html").read_text()
    page = check_self_contained(html)
    assert "Side by side: 1 of 9 shown" in page.text and "two: E one: E" not in page.text
    assert page.tags.count("img") == 3 and "2026-01-31 12:00 UTC" in page.text
    assert "all 9 items are the same" in page.text and 'class="card note"' not in html


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("E"), "summary.json: says nothing of its editor 'E'"),
        (lambda s: s["E"].pop("overall"), "summary.json: E: lacks 'overall'"),
        (lambda s: s["E"]["overall"]["l1"].pop("n"), "summary.json: E: l1: lacks 'n'"),
        (lambda s: s["E"]["overall"]["l1"].update(low=None), "summary.json: E: l1: lacks 'low'"),
        (lambda s: s.update(editors="E"), "summary.json: 'editors' is 'E', not a list"),
        (lambda s: s.pop("benchmark"), "summary.json: lacks 'benchmark'"),
    ],
)
def test_a_damaged_summary_is_refused_with_its_place(tmp_path, change, said):
    one = write_run(tmp_path / "one", scored("E", {"a": 0.1}))
    (tmp_path / "two").mkdir()
    summary = summarise_run(read_runs(one)[0])
    write_json(tmp_path / "two" / "summary.json", summary)
    assert compare_reports([one, tmp_path / "two"]).benchmarks[0].benchmark == "made-up"
    change(summary)
    write_json(tmp_path / "two" / "summary.json", summary)
    with pytest.raises(BadInputError, match=said):
        compare_reports([one, tmp_path / "two"])


def test_figures_against_inputs_and_against_targets_are_not_subtracted(tmp_path):
    folders = [
        write_run(tmp_path / reference, scored("E", {"a": 0.1, "b": 0.3}, asked="h"), reference=reference)
        for reference in ("input", "truth")
    ]
    [only] = compare_reports(folders).benchmarks
    [pair] = only.pairs
    assert set(pair.differences["overall"]) == {"clip_score"}
    [warning] = [text for text in only.warnings if "not subtracted" in text]
    assert warning.startswith("L1 was measured against the input in input and against the target in truth")


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
