"""Writes what ratings come to: ``ratings.json``, ``ratings.md`` and, un-blinded, ``answers.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from editfoundry.data.output_folder import check_claim, claim_output, require_no_input
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.ratings.rating_files import RaterAnswers
from editfoundry.evaluation.ratings.rating_key import RatingKey
from editfoundry.evaluation.ratings.rating_questions import BY_NAME
from editfoundry.evaluation.ratings.rating_results import OVERALL
from editfoundry.evaluation.reports.markdown import table_lines
from editfoundry.evaluation.reports.metric_text import decimal_text
from editfoundry.evaluation.reports.page import write_text
from editfoundry.evaluation.reports.report_tables import Cell, Row, Table, difference_cell, mean_cell

STAGE = "ratings"
RESULTS_FILE, PAGE_FILE, ANSWERS_FILE = "ratings.json", "ratings.md", "answers.csv"
JUDGE_FILE = "ratings-judge.json"
"""What a judge answered, which it writes beside the three."""
_FACTS = {"decimals": 2, "higher_is_better": True}


def check_ratings_output(output: Path, inputs: Iterable[Path]) -> None:
    """Raise BadInputError where the folder holds something else, or the files that go into it are inputs."""
    check_claim(output, STAGE)
    known = list(inputs)
    for name in (RESULTS_FILE, PAGE_FILE, ANSWERS_FILE, JUDGE_FILE):
        require_no_input(output / name, known)


def claim_ratings_output(output: Path) -> None:
    """Make the folder one of ratings; raises BadInputError where it holds something else."""
    claim_output(output, STAGE)


def write_ratings_report(
    output: Path, key: RatingKey, raters: Sequence[RaterAnswers], results: Mapping[str, Any]
) -> None:
    """Write the three files into a folder; without a judge in the results, its answers of an earlier report go.

    Raises:
        BadInputError: ``output`` holds something else.
    """
    claim_ratings_output(output)
    write_json(output / RESULTS_FILE, results)
    lines = [line for table in rating_tables(results) for line in table_lines(table, "##")]
    head = ["# Ratings", "", f"{len(results['raters'])} raters, {results['num_answers']} answers.", ""]
    write_text(output / PAGE_FILE, "\n".join([*head, *lines]).rstrip() + "\n")
    write_text(output / ANSWERS_FILE, _answers(key, raters))
    if "judge" not in results:
        (output / JUDGE_FILE).unlink(missing_ok=True)


def rating_tables(results: Mapping[str, Any]) -> list[Table]:
    """Return the results as tables: overall, by part, differences, preferences, agreement."""
    made = [*_figures(results, ""), _agreement(results["agreement"], "How far raters agree")]
    if "judge" in results:
        judge = results["judge"]
        made += [*_figures(judge, "The judge: "), _agreement(judge["agreement"], "How far the judge agrees with them")]
    return made


def _figures(results: Mapping[str, Any], before: str) -> Iterator[Table]:
    questions = results["questions"]
    editors = tuple(next(iter(questions.values()), {}))
    if editors:
        yield Table(
            title=f"{before}Shares of yes, and mean quality from 1 to 5",
            columns=editors,
            rows=tuple(
                Row(label=BY_NAME[name].label, cells=tuple(mean_cell(_FACTS, own[e][OVERALL]) for e in editors))
                for name, own in questions.items()
            ),
        )
        for name, own in questions.items():
            yield _by_part(f"{before}{BY_NAME[name].label}, part by part", own, editors)
    for name, pairs in results["differences"].items():
        if pairs:
            cells = tuple(difference_cell(_FACTS, interval) for interval in pairs.values())
            row = Row(label=BY_NAME[name].label, cells=cells)
            yield Table(title=f"{before}{BY_NAME[name].label}: differences", columns=tuple(pairs), rows=(row,))
    if results["preferences"]:
        rows = tuple(Row(label=name, cells=_preferred(found)) for name, found in results["preferences"].items())
        columns = ("preferred, a tie counting half", "answers: first, equal, second")
        yield Table(title=f"{before}Which of two is preferred", columns=columns, rows=rows)


def _preferred(found: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return mean_cell(_FACTS, found), Cell(text=", ".join(map(str, found["counts"].values())))


def _by_part(title: str, own: Mapping[str, Any], editors: Sequence[str]) -> Table:
    parts = [(way, part) for way in ("by_category", "by_part") for part in own[editors[0]][way]]
    rows = (Row(label=part, cells=tuple(mean_cell(_FACTS, own[e][way][part]) for e in editors)) for way, part in parts)
    return Table(title=title, columns=tuple(editors), rows=tuple(rows))


def _agreement(agreement: Mapping[str, Any], title: str) -> Table:
    kinds = {"alpha": "Krippendorff's alpha", "alpha_of_two_people": "of two people"}
    known = [name for name in kinds if any(name in found for found in agreement.values())]
    rows = (
        Row(label=BY_NAME[name].label, cells=tuple(Cell(text=decimal_text(found[kind], 2)) for kind in known))
        for name, found in agreement.items()
    )
    return Table(title=title, columns=tuple(kinds[kind] for kind in known), rows=tuple(rows))


def _answers(key: RatingKey, raters: Sequence[RaterAnswers]) -> str:
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("rater", "item", "category", "prompt", "question", "editor", "other_editor", "answer"))
    for one in raters:
        for (name, question), answer in one.answers.items():
            task = key.tasks[name]
            editors = (*task.editors, "")[:2]
            writer.writerow((one.rater, task.item, task.category, task.prompt, question, *editors, answer))
    return table.getvalue()
