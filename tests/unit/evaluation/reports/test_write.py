import json
import shutil

import pytest
from html_outline import check_self_contained
from run_folders import item, write_run

from editfoundry.data.hashing import file_hash
from editfoundry.evaluation.reports import write_reports
from editfoundry.evaluation.reports.published import published_for, published_tables
from editfoundry.evaluation.reports.run_results import read_run
from editfoundry.evaluation.reports.shown_samples import best_and_worst, draw_items
from editfoundry.tracking.mlflow_client import default_tracking_uri, find_run

SCORES = {"first": 0.21, "second": 0.25}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Two editors on four items of two branches; the second crashes on one."""
    places = [("text", "Long-Term"), ("text", "Long-Term"), ("video", "Spatial-Trans"), ("video", "Spatial-Trans")]
    items = [
        item(
            editor,
            f"{branch}-{n}",
            {} if editor == "second" and n == 3 else {"clip_score": score, "l1": 0.1 * n},
            branch=branch,
            category=category,
            instruction="Turn <b>it</b> | over",
            failure="crashed" if editor == "second" and n == 3 else None,
            detail="<script>boom</script>",
        )
        for editor, score in SCORES.items()
        for n, (branch, category) in enumerate(places)
    ]
    missing = [{"id": "text-9", "what": "input", "reason": "no file"}]
    folder = write_run(tmp_path_factory.mktemp("editworld-run"), items, name="editworld", missing=missing)
    write_reports(folder)
    return folder


def test_the_page_needs_nothing_beside_itself_and_shows_what_a_reader_needs(run_folder):
    page = check_self_contained((run_folder / "report.html").read_text())
    for said in (
        "0.2100 n 4",
        "0.2500 n 3",
        "+0.0400 n 3",
        "text: Long-Term",
        "second gave no usable edit for 1 of 4 items",
        "1 entry of the benchmark could not be asked for",
        "LPIPS. Why: the profile names no lpips weights.",
        "0.2244",
        "ours over 4",
        "clip-tiny@0",
        "text-9",
        "<script>boom</script>",
        "1.5",
    ):
        assert said in page.text, said
    assert page.tags.count("img") > 8


def test_the_markdown_has_the_same_figures_and_names_pictures_that_are_there(run_folder):
    text = (run_folder / "report.md").read_text()
    assert "| **All** | 0.2100 [0.2100 to 0.2100] (n 4) | 0.2500 [0.2500 to 0.2500] (n 3) |" in text
    assert "| text: Long-Term | 0.2100 [0.2100 to 0.2100] (n 2) | 0.2500 [0.2500 to 0.2500] (n 2) | 0.1831 |" in text
    assert "| text: Implicit-Logic | – (n 0) | – (n 0) | 0.2356 |" in text
    assert "Turn \\<b\\>it\\</b\\> \\| over" in text
    pictures = [part.split(">")[0] for part in text.split("](<")[1:]]
    assert pictures and all((run_folder / path).is_file() for path in pictures)


def test_summary_json_is_what_the_page_shows_and_comes_out_the_same_twice(run_folder):
    summary = json.loads((run_folder / "summary.json").read_text())
    assert summary["paired"]["second - first"]["overall"]["clip_score"]["value"] == pytest.approx(0.04)
    before = {name: (run_folder / name).read_bytes() for name in ("report.html", "report.md", "summary.json")}
    write_reports(run_folder)
    assert {name: (run_folder / name).read_bytes() for name in before} == before


def test_published_figures_stand_beside_ours_only_on_the_papers_benchmark(tmp_path):
    folder = write_run(tmp_path, [item("A", "a", {"clip_score": 0.2})], name="tinyworld-world")
    write_reports(folder)
    page = check_self_contained((folder / "report.html").read_text())
    ours, theirs = page.text.split("Published on another benchmark")
    assert "0.2244" not in ours
    assert "They are not comparable" in theirs and "0.2244" in theirs
    assert published_for("tinyworld-world") is None


def test_the_published_tables_are_whole():
    for table in published_tables():
        assert all(len(row) == len(table.columns) for rows in table.metrics.values() for row in rows.values())
    table = published_for("editworld")
    ours = table.columns.index("EditWorld")
    assert len(table.metrics["clip_score"]) == 9
    # The paper's claim: EditWorld has the best MLLM score of those with post-edit, in both branches.
    assert all(row[ours] == max(row[:-1]) for row in table.metrics["mllm_bit"].values())


def test_the_seed_and_the_id_alone_choose_what_is_shown(tmp_path):
    ids = [f"i{n}" for n in range(20)]
    low = [item("A", i, {"clip_score": 0.0}) for i in ids]
    high = [item("A", i, {"clip_score": 1.0 * n}) for n, i in enumerate(reversed(ids))]
    runs = [read_run(write_run(tmp_path / name, items)) for name, items in (("low", low), ("high", high))]
    shown = [[i.id for i in draw_items(run, seed)] for run in runs for seed in (0, 1)]
    assert shown[0] == shown[2] and shown[1] == shown[3]
    assert shown[0] != shown[1] and len(shown[0]) == 4


def test_best_and_worst_follow_the_score_and_share_no_edit(tmp_path):
    rows = [item("A", f"i{n}", {"l1": n / 10}) for n in range(5)] + [item("A", "f", {}, failure="crashed")]
    items = read_run(write_run(tmp_path, rows)).items["A"]
    best, worst = best_and_worst(items, "l1", higher_is_better=False)
    assert [i.id for i in best] == ["i0", "i1"] and [i.id for i in worst] == ["i4", "i3"]


def test_a_run_without_pictures_or_with_a_damaged_one_is_reported_all_the_same(run_folder, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(run_folder, folder)
    shutil.rmtree(folder / "inputs")
    for path in (folder / "edits" / "first").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    write_reports(folder)
    page = check_self_contained((folder / "report.html").read_text())
    assert "not kept Input" in page.text and "no picture first" in page.text


def test_a_report_becomes_an_mlflow_run_with_means_settings_and_files(run_folder, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    from editfoundry.evaluation.reports.mlflow_log import EXPERIMENT, METRICS_TAG, log_reports

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_id = log_reports(run_folder, tmp_path)
    client = MlflowClient(default_tracking_uri(tmp_path))
    run = client.get_run(run_id)
    assert run.data.metrics["second_clip_score"] == pytest.approx(0.25)
    assert run.data.metrics["second_num_failed"] == 1
    assert run.data.params["editors.first.steps"] == "8"
    assert {a.path for a in client.list_artifacts(run_id)} >= {"report.html", "summary.json", "report.md"}
    assert find_run(EXPERIMENT, METRICS_TAG, file_hash(run_folder / "metrics.json"), tmp_path) == run_id


def test_the_words_that_an_edit_was_made_by_stand_below_it_and_are_only_words(tmp_path):
    items = [item(name, f"a-{n}", {"clip_score": 0.2}, category="Long-Term") for name in SCORES for n in range(2)]
    for row in items[:2]:
        row["words"] = {"text": "a <b>rotten</b> apple"}
    folder = write_run(tmp_path, items)
    write_reports(folder)
    page = check_self_contained((folder / "report.html").read_text())
    # Of the first editor's edits alone, in each figure that shows one.
    assert page.text.count("“a <b>rotten</b> apple”") == 4
    assert (folder / "report.md").read_text().count("a \\<b\\>rotten\\</b\\> apple") == 2
