"""Run folders to rate, with pictures, and answers to their sheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from run_folders import item, write_run

from editfoundry.evaluation.ratings.rating_key import RatingKey, RatingTask
from editfoundry.evaluation.ratings.rating_questions import QUESTIONS, RatingQuestion

COLOURS = {"first": "red", "second": "blue"}


def write_pictured_run(folder: Path, num_items: int = 4, editors: tuple[str, ...] = ("first", "second")) -> Path:
    """Write a run whose edits are of one colour each, and are asked for in two categories and two attributes."""
    rows = [
        item(
            editor,
            f"item-{number:02d}",
            {"l1": 0.1},
            category=("Mask-Simple", "Full")[number % 2],
            parts={"attribute": ("colour", "count")[number // 2 % 2]},
        )
        for number in range(num_items)
        for editor in editors
    ]
    run = write_run(folder, rows)
    for row in rows:
        for path, colour in (
            (run / "edits" / row["editor"] / f"{row['id']}.png", COLOURS.get(row["editor"], "green")),
            (run / "inputs" / f"{row['id']}.png", "grey"),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 64), colour).save(path)
    return run


def answers_of(key: RatingKey, answer: Callable[[RatingTask, RatingQuestion], str | None]) -> list[dict[str, str]]:
    """Return a sheet's answers as it saves them; those that are None are left out."""
    rows = []
    for name, task in key.tasks.items():
        for question in QUESTIONS:
            said = answer(task, question) if question.about == task.kind else None
            if said is not None:
                rows.append({"task": name, "question": question.name, "answer": said})
    return rows


def write_answers(path: Path, key: RatingKey, rater: str, rows: list[dict[str, str]]) -> Path:
    """Write a rater's answers as the sheet's Save buttons do, JSON or CSV by the file's name."""
    if path.suffix == ".csv":
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(("sheet", "rater", "task", "question", "answer"))
        writer.writerows((key.sheet, rater, r["task"], r["question"], r["answer"]) for r in rows)
        path.write_text(table.getvalue())
    else:
        path.write_text(
            json.dumps({"format": "editfoundry-ratings", "sheet": key.sheet, "rater": rater, "answers": rows})
        )
    return path
