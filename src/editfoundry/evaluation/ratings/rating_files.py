"""Reads what raters saved from a sheet, JSON or CSV alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editfoundry.data.csv_table import csv_table
from editfoundry.data.untrusted import read_json
from editfoundry.errors import BadInputError, one_line
from editfoundry.evaluation.json_file import write_json
from editfoundry.evaluation.ratings.rating_key import RatingKey
from editfoundry.evaluation.ratings.rating_questions import BY_NAME

FORMAT = "editfoundry-ratings"
COLUMNS = ("sheet", "rater", "task", "question", "answer")
JUDGE = "judge"
"""The judge's name among the raters, which no person can have."""
MAX_NAME = 80
"""Characters of a rater's name."""


@dataclass(frozen=True, kw_only=True)
class RaterAnswers:
    """What one rater answered."""

    rater: str
    answers: Mapping[tuple[str, str], str]
    """(task, question) -> answer."""


def read_ratings(paths: Sequence[Path], key: RatingKey) -> list[RaterAnswers]:
    """Read the files of several raters.

    Raises:
        BadInputError: a file is missing or damaged, of another sheet, answers what the sheet does not ask, is the
            judge's, or has a rater who has answered in another file too, be it in other letter case.
    """
    found: dict[str, tuple[RaterAnswers, Path]] = {}
    for path in paths:
        for one in _read(path, key):
            name = one.rater.casefold()
            if name == JUDGE:
                raise BadInputError(
                    f"{path}: {one.rater!r} is what the judge of --rater judge is called: leave its file out; a person "
                    "of that name must write another"
                )
            if name in found:
                raise _named_twice(one, path, *found[name])
            found[name] = one, path
    return [one for one, _ in found.values()]


def _named_twice(one: RaterAnswers, path: Path, other: RaterAnswers, its_path: Path) -> BadInputError:
    if one.rater == other.rater:
        return BadInputError(f"{path}: {one.rater!r} has answered in {its_path} too: give each rater's file once")
    return BadInputError(
        f"{path}: {one.rater!r} differs from {other.rater!r} in {its_path} by letter case alone: write one name for "
        "one rater, and different names for two"
    )


def write_ratings(path: Path, key: RatingKey, one: RaterAnswers) -> None:
    """Write a rater's answers as the sheet saves them."""
    answers = [{"task": t, "question": q, "answer": answer} for (t, q), answer in one.answers.items()]
    write_json(path, {"format": FORMAT, "sheet": key.sheet, "rater": one.rater, "answers": answers})


def _read(path: Path, key: RatingKey) -> list[RaterAnswers]:
    if not path.is_file():
        what = "is a folder; give the files that" if path.is_dir() else "no such file; give what"
        raise BadInputError(f"{path}: {what} the sheet's Save buttons have written")
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path)
    answers: dict[str, dict[tuple[str, str], str]] = {}
    for where, row in rows:
        rater, asked, answer = _checked(f"{path}: {where}", row, key)
        own = answers.setdefault(rater, {})
        if asked in own:
            raise BadInputError(f"{path}: {where}: {asked[1]!r} of task {asked[0]} is answered twice: keep one of them")
        own[asked] = answer
    if not answers:
        raise BadInputError(f"{path}: holds no answers; save them from the sheet again")
    return [RaterAnswers(rater=rater, answers=own) for rater, own in answers.items()]


def _checked(where: str, row: Mapping[str, Any], key: RatingKey) -> tuple[str, tuple[str, str], str]:
    """Return rater, task and question, and answer of a row."""
    answer = row.get("answer")
    # A grade that another program saved as a number.
    if type(answer) is int or (type(answer) is float and answer.is_integer()):
        row = {**row, "answer": str(int(answer))}
    for name in COLUMNS:
        if not isinstance(row.get(name), str):
            raise BadInputError(f"{where}: has no {name}; save it from the sheet again")
    rater = row["rater"].strip()
    if not 0 < len(rater) <= MAX_NAME:
        raise BadInputError(f"{where}: the rater's name has {len(rater)} characters; give one of 1 to {MAX_NAME}")
    if row["sheet"] != key.sheet:
        raise BadInputError(f"{where}: is of sheet {row['sheet'][:16]!r}, but the key is of {key.sheet!r}")
    task, question = key.tasks.get(row["task"]), BY_NAME.get(row["question"])
    if task is None:
        raise BadInputError(f"{where}: the sheet has no task {row['task'][:16]!r}")
    if question is None or question.about != task.kind:
        raise BadInputError(f"{where}: the sheet does not ask {row['question'][:40]!r} about task {row['task']}")
    if row["answer"] not in question.answers:
        raise BadInputError(
            f"{where}: {question.name} is {row['answer'][:40]!r}, but must be one of {', '.join(question.answers)}"
        )
    return rater, (row["task"], question.name), row["answer"]


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    data: dict[str, Any] = read_json(path, dict)
    if data.get("format") != FORMAT or not isinstance(data.get("answers"), list):
        raise BadInputError(f"{path}: no ratings; give what the sheet's Save buttons have written")
    for number, row in enumerate(data["answers"], start=1):
        if not isinstance(row, dict):
            raise BadInputError(f"{path}: answer {number} is no answer; save it from the sheet again")
        yield f"answer {number}", {"sheet": data.get("sheet"), "rater": data.get("rater"), **row}


def _csv_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, records = csv_table(file, path)
            if set(COLUMNS) - set(header):
                raise BadInputError(f"{path}: no ratings: its columns must be {', '.join(COLUMNS)}")
            for number, record in enumerate(records, start=1):
                if isinstance(record, str) or len(record) > len(header):
                    why = record if isinstance(record, str) else f"{len(record)} fields, {len(header)} in the header"
                    raise BadInputError(f"{path}: row {number}: {why}")
                yield f"row {number}", dict(zip(header, record, strict=False))
    except OSError as error:
        raise BadInputError(f"{path}: not readable as CSV ({one_line(error)})") from error
