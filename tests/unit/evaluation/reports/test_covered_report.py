"""Several benchmarks behind one cover, and what every report says at its head."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_outline import check_self_contained
from PIL import Image
from run_folders import item, write_run

from editfoundry.data.stage_result import StageResult
from editfoundry.evaluation.controls import ANOTHER_INSTRUCTION
from editfoundry.evaluation.made_by import MadeBy
from editfoundry.evaluation.reports import write_reports
from editfoundry.evaluation.reports.before_after import GAIN
from editfoundry.evaluation.reports.cover import Cover, specific_gain
from editfoundry.evaluation.reports.grid import grid_png
from editfoundry.evaluation.reports.run_results import read_run, read_runs
from editfoundry.evaluation.reports.shown_samples import draw_items, first_of_each_row
from editfoundry.evaluation.reports.write import write_covered_report

CATEGORIES = ("Long-Term", "Physical-Trans", "Story-Type", "change")
COVER = Cover(
    title="A <report>",
    loss_curve=[(i, 1 / (i + 1)) for i in range(50)],
    splits={"train": 1234, "test": 5},
    stages={"captions": StageResult(num_in=10, num_out=7, rejected={"duplicate-url": 2, "unsafe": 1})},
    provenance={"models": {"clip": "clip-tiny@0"}},
)
MADE = MadeBy("2026-01-31 12:00 UTC", "1.2.3", "editfoundry evaluate --editor x --out y")


def rows(editor, count, num_right, clip=0.5):
    return [
        item(
            editor,
            f"i{n}",
            {} if n == 3 and editor == "fine_tuned" else {"right": float(n < num_right), "clip_score": clip},
            category=CATEGORIES[n % 4],
            failure="crashed" if n == 3 and editor == "fine_tuned" else None,
            detail="<b>broken</b>",
            nearest="truth" if n < num_right else "input",
        )
        for n in range(count)
    ]


def write_world(folder, name, num_right, clip=0.5):
    bounds = {f"i{n}": {"input": {"clip_score": 0.6}, "truth": {"clip_score": 0.9}} for n in range(16)}
    edits = [*rows("base", 16, 0, clip), *rows("fine_tuned", 16, num_right, clip)]
    folder = write_run(folder / name, edits, name=name)
    data = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**data, "bounds": bounds}))
    return read_run(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write_world(folder, "world", 16), write_world(folder, "plain", 2, clip=0.7)]


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    output = tmp_path_factory.mktemp("report")
    write_covered_report(output, runs, COVER, MADE)
    return check_self_contained((output / "report.html").read_text())


def test_the_cover_says_what_was_made_by_what_and_the_benchmarks_follow(page):
    for said in (
        "A <report>",
        "2026-01-31 12:00 UTC editfoundry 1.2.3 editfoundry evaluate --editor x --out y",
        "1,234",
        "duplicate-url 2 , unsafe 1",
        "clip-tiny@0",
        "crashed",
        "Fine-tuning takes the share of right edits from 0 % to 94 % over 16 edits",
        "Before and after: 16 of 16 shown",
        "The world <test>",
        "The plain <test>",
    ):
        assert said in page.text, said
    assert page.text.index("The world <test>") < page.text.index("The plain <test>")


def test_a_report_says_first_that_doing_nothing_beats_the_editors_and_not_where_it_does_not(page):
    warning = "By CLIP score doing nothing (0.6000) beats every editor: base (0.5000), fine_tuned (0.5000)."
    assert page.text.count("beats every editor") == 1
    assert page.text.index(warning) < page.text.index("Whole benchmark")
    assert "doing nothing 0.6000, the true outcome 0.9000" in page.text


def test_the_table_of_contents_comes_first_and_pictures_before_any_table(page):
    links = [link for link in page.links if link.startswith("#")]
    assert links[:2] == ["#world", "#plain"] and {"#training", "#data", "#metrics", "#reading"} <= set(links)
    assert page.tags.index("img") < page.tags.index("table")
    assert page.tags.count("label") == page.tags.count("img")


def test_of_further_benchmarks_the_means_and_two_figures_are_open_and_the_rest_is_folded_up(runs, tmp_path):
    write_covered_report(tmp_path, runs, COVER, MADE)
    html = (tmp_path / "report.html").read_text()
    assert re.search(r'<h3[^>]*id="world-categories"', html) and re.search(r'<details[^>]*id="plain-categories"', html)
    world, plain = html.split('<section id="plain">')
    assert "<summary>Controls, and what the edits became</summary>" not in world
    assert plain.count("<summary>Controls, and what the edits became</summary>") == 1
    assert "<summary>12 more</summary>" in world and "<summary>14 more</summary>" in plain


def test_equal_runs_give_equal_reports_and_each_ones_summary_by_its_name(runs, tmp_path):
    for name in ("a", "b"):
        write_covered_report(tmp_path / name, runs, COVER, MADE)
    assert (tmp_path / "a/report.html").read_bytes() == (tmp_path / "b/report.html").read_bytes()
    summary = json.loads((tmp_path / "a/summary.json").read_text())["benchmarks"]
    assert list(summary) == ["world", "plain"]
    write_reports(runs[0].folder)
    assert json.loads((runs[0].folder / "summary.json").read_text()) == summary["world"]


def test_metrics_of_several_benchmarks_are_read_run_by_run(runs, tmp_path):
    data = {run.name: json.loads((run.folder / "metrics.json").read_text()) for run in runs}
    (tmp_path / "metrics.json").write_text(json.dumps({"benchmarks": data}))
    found = read_runs(tmp_path)
    assert [run.name for run in found] == ["world", "plain"]
    assert [run.items for run in found] == [run.items for run in runs]
    assert found[0].folder == tmp_path / "world"


def test_undefined_scores_are_counted_in_the_page_and_in_markdown(tmp_path):
    reason = "the captions are the same but for case, spaces and final punctuation"
    edits = [
        item("A", f"i{n}", {"clip_score": 0.3}, undefined={"clip_score": reason} if n < 2 else {}) for n in range(5)
    ]
    for row in edits[:2]:
        row["scores"] = {}
    folder = write_run(tmp_path, edits)
    write_reports(folder)
    said = f"CLIP score is undefined for 2 of 5 items, which are in none of its means: {reason}."
    assert said in check_self_contained((folder / "report.html").read_text()).text
    assert said in (folder / "report.md").read_text()
    assert json.loads((folder / "summary.json").read_text())["A"]["undefined"] == {"clip_score": {reason: 2}}


def test_an_editor_that_reads_the_output_caption_has_it_said_at_its_figures(tmp_path):
    folder = write_run(tmp_path, [item(e, "a", {"clip_score": 0.3}) for e in ("sdedit", "mine")])
    data = json.loads((folder / "metrics.json").read_text())
    data["editors"]["sdedit"] = {**data["editors"]["sdedit"], "reads": ["output caption"]}
    (folder / "metrics.json").write_text(json.dumps(data))
    write_reports(folder)
    text = check_self_contained((folder / "report.html").read_text()).text
    assert "sdedit reads the output caption mine" in text and "Reads the output caption." in text


def test_the_grid_is_a_png_whose_tiles_are_the_pictures_themselves(runs, tmp_path):
    run = runs[0]
    shown = first_of_each_row(draw_items(run, 0))
    assert [edit.category for edit in shown] == list(CATEGORIES)
    grid_png(tmp_path / "grid.png", run, shown, tile=128)
    with Image.open(tmp_path / "grid.png") as image:
        assert image.format == "PNG"
        pixels = np.asarray(image)
    with Image.open(run.folder / "inputs" / f"{shown[0].id}.png") as image:
        source = np.asarray(image).repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(pixels[36 : 36 + 128, 262 : 262 + 128], source)


def test_the_words_of_an_editor_that_says_any_stand_below_the_instruction(runs, tmp_path):
    run = runs[0]
    shown = first_of_each_row(draw_items(run, 0))[:1]
    editor, identity = next(iter(run.editors)), shown[0].id
    texts = []
    for words in ("", "the egg is broken", "the egg is broken " * 40):
        items = {
            **run.items,
            editor: {**run.items[editor], identity: replace(run.items[editor][identity], words=words)},
        }
        grid_png(tmp_path / "grid.png", replace(run, items=items), shown, tile=128)
        with Image.open(tmp_path / "grid.png") as image:
            texts.append(np.asarray(image)[:, :250])
    silent, told, endless = texts
    assert not np.array_equal(silent, told) and np.array_equal(silent[:64], told[:64])
    # Words that have no room are cut at the row's end.
    assert (endless[36 + 128 :] == 255).all()


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_text_colour_has_a_contrast_of_at_least_4_5_to_1_in_light_and_dark():
    import editfoundry.evaluation.reports as reports

    page = (Path(reports.__file__).parent / "templates" / "page.html.j2").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in page.split(":root {")[1:3])
    on = {
        "good": ["good-soft", "card"],
        "bad": ["bad-soft", "card", "faint"],
        "soft": ["plain-soft", "card", "page"],
        "ink": ["card", "page", "note", "plain-soft"],
        "link": ["card", "page"],
        "s1": ["page"],
    }
    for colours in (light, {**light, **dark}):
        for text, grounds in on.items():
            for ground in grounds:
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def test_a_benchmark_of_one_item_has_no_other_items_instruction_to_speak_of():
    controls = {
        "specific_paired": {GAIN: {"value": None, "low": None, "high": None}},
        "editors": {"fine_tuned": {ANOTHER_INSTRUCTION: {"right": {"value": None}}}},
    }
    assert specific_gain({"metrics": {"right": {}}, "controls": controls}) == ""


def test_a_run_has_its_grid_and_without_truths_no_column_for_them(tmp_path):
    wide = {}
    for name, has_truth in (("known", True), ("unknown", False)):
        folder = write_run(tmp_path / name, [item("mine", n, {"clip_score": 0.3}) for n in "ab"])
        for kind in ("inputs", "edits/mine", *(["truths"] if has_truth else [])):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            for n in "ab":
                Image.new("RGB", (80, 40), (200, 30, 30)).save(folder / kind / f"{n}.png")
        if not has_truth:
            shutil.rmtree(folder / "truths", ignore_errors=True)
        write_reports(folder)
        with Image.open(folder / "grid.png") as image:
            wide[name] = image.width
            # Not stretched: half of the tile's height stays white.
            assert image.getpixel((262 + 64, 36 + 64)) == (200, 30, 30)
            assert image.getpixel((262 + 64, 36 + 8)) == (255, 255, 255)
    assert wide["known"] - wide["unknown"] == 128 + 12
