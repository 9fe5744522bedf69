import io

import pytest
from rich.console import Console
from run_folders import item, write_run

from editfoundry.evaluation.reports.before_after import markdown_table, terminal_table
from editfoundry.evaluation.reports.metric_text import decimal_text
from editfoundry.evaluation.reports.run_results import read_run
from editfoundry.evaluation.reports.run_summary import summarise_run

CATEGORIES = ("Long-Term", "Physical-Trans", "Story-Type", "change")


def rows(editor, right):
    return [
        item(
            editor,
            f"i{n}",
            {"right": right, "sharp": right / 2, "clip_score": 0.5 + right / 4, "preservation_psnr": 30.0},
            category=CATEGORIES[n % 4],
            nearest="truth" if right else "input",
        )
        for n in range(8)
    ]


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder = write_run(tmp_path_factory.mktemp("run"), [*rows("base", 0.0), *rows("fine_tuned", 1.0)])
    return summarise_run(read_run(folder))


def test_the_terminal_table_fits_80_columns_and_has_a_row_for_every_category(summary):
    console = Console(file=io.StringIO(), width=80)
    console.print(terminal_table(summary))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for category in ("overall", *CATEGORIES):
        assert any(line.strip().startswith(category) and "0.00 → 1.00" in line for line in text.splitlines())
    assert "0.00 → 0.50" in text and "30.0 → 30.0" in text
    assert len(text.splitlines()) <= 4 + 6


def test_the_markdown_table_has_as_many_cells_in_every_row(summary):
    lines = markdown_table(summary).splitlines()
    assert len(lines) == 2 + 5
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| **overall** | **8** | **0.00 → 1.00** | **0.00 → 0.50** |")
    assert lines[0].startswith("| Category (base → fine-tuned) | n | Right | Sharp |")


def test_a_single_editor_has_a_table_without_differences(tmp_path):
    assert "Gain" not in markdown_table(summarise_run(read_run(write_run(tmp_path, rows("mine", 1.0)))))


def test_a_difference_that_rounds_to_nothing_has_no_sign():
    assert decimal_text(-0.001, 2, signed=True) == "0.00"
    assert decimal_text(-0.25, 2, signed=True) == "−0.25"
    assert decimal_text(0.25, 3, signed=True) == "+0.250"


def test_what_edits_became_is_counted_and_a_failed_one_is_wrong(tmp_path):
    made = rows("base", 0.0)[:2] + rows("base", 1.0)[2:3]
    failed = item("base", "f", {}, failure="crashed", category="change", nearest=None)
    summary = summarise_run(read_run(write_run(tmp_path, [*made, failed])))
    assert summary["base"]["outcomes"] == {"right": 1, "unclear": 0, "wrong": 0, "input": 2, "failed": 1}
    assert summary["base"]["overall"]["right"]["value"] == 0.25 and summary["base"]["overall"]["clip_score"]["n"] == 3
