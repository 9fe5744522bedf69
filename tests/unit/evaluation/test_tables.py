import io

from rich.console import Console
from worlds import ColourEncoder, make_cases, return_the_input, return_the_truth

from editfoundry.evaluation.evaluate import evaluate_editors
from editfoundry.evaluation.numbers import number
from editfoundry.evaluation.summary import summarise
from editfoundry.evaluation.tables import summary_markdown, summary_table

CASES = make_cases(8)
SUMMARY = summarise(
    evaluate_editors({"base": return_the_input, "fine_tuned": return_the_truth(CASES)}, CASES, ColourEncoder()), "test"
)


def test_the_terminal_table_fits_80_columns_and_has_a_row_for_every_category() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(summary_table(SUMMARY))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    for category in ("overall", "Long-Term", "Physical-Trans", "Story-Type", "change"):
        assert any(line.strip().startswith(category) and "0.00 → 1.00" in line for line in text.splitlines())
    assert len(text.splitlines()) <= 4 + 6


def test_the_markdown_table_has_as_many_cells_in_every_row() -> None:
    lines = summary_markdown(SUMMARY).splitlines()
    assert len(lines) == 2 + 5
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| **overall** | **8** | **0.00 → 1.00** |")
    assert lines[0].startswith("| Category (base → fine-tuned) | n | Outcome accuracy |")


def test_a_single_editor_has_a_table_without_differences() -> None:
    summary = summarise(evaluate_editors({"mine": return_the_input}, CASES, ColourEncoder()), "test")
    assert "Gain" not in summary_markdown(summary)


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert number("outcome_accuracy", -0.001, signed=True) == "0.00"
    assert number("outcome_accuracy", -0.25, signed=True) == "−0.25"
    assert number("clip_score", 0.25, signed=True) == "+0.250"
