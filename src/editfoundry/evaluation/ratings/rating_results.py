"""What ratings come to: shares and means with intervals, preferences, and how far raters agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from editfoundry.evaluation.bootstrap import bootstrap_columns
from editfoundry.evaluation.cases import order_categories
from editfoundry.evaluation.ratings.agreement import krippendorff_alpha
from editfoundry.evaluation.ratings.rating_files import RaterAnswers
from editfoundry.evaluation.ratings.rating_key import RatingKey, RatingTask
from editfoundry.evaluation.ratings.rating_questions import PREFERENCE, QUESTIONS, RatingQuestion

OVERALL = "overall"
Columns = dict[str, dict[str, float]]
"""Editor -> item -> the mean over raters of what it got."""


def rating_results(
    key: RatingKey, raters: Sequence[RaterAnswers], judge: RaterAnswers | None = None, seed: int = 0
) -> dict[str, Any]:
    """Return the layout of ``ratings.json``.

    ``{"sheet", "raters", "num_answers", "questions": {question: {editor: {"overall": {"value", "low", "high", "n"},
    "by_category", "by_part"}}}, "differences": {question: {"B - A": interval}}, "preferences": {"A over B": {interval,
    "A", "equal", "B": counts}}, "agreement": {question: {"alpha", "num_raters", "num_tasks"}}}``, and with a judge
    ``"judge"``: the same of its own answers, and ``"agreement"``: its mean alpha with each rater. An item's answers are
    averaged over raters first; intervals resample items, those of one picture together.

    Args:
        key: of the sheet.
        raters: people, one at least.
        judge: a model's answers to the same sheet; they count in no figure of the people's.
        seed: of the resampling.
    """
    results = {"sheet": key.sheet, "seed": seed, **_figures(key, raters, seed)}
    results["agreement"] = {q.name: _agreement(key, raters, q) for q in _asked(key)}
    if judge is not None:
        with_judge = {q.name: _agreement_with(key, raters, judge, q) for q in _asked(key)}
        results["judge"] = {**_figures(key, [judge], seed), "agreement": with_judge}
    return results


def _asked(key: RatingKey) -> list[RatingQuestion]:
    kinds = {task.kind for task in key.tasks.values()}
    return [question for question in QUESTIONS if question.about in kinds]


def _figures(key: RatingKey, raters: Sequence[RaterAnswers], seed: int) -> dict[str, Any]:
    columns = {q.name: _columns(key, raters, q) for q in _asked(key) if q is not PREFERENCE}
    items = {task.item: task for task in key.tasks.values()}
    return {
        "raters": [one.rater for one in raters],
        "num_answers": sum(len(one.answers) for one in raters),
        "questions": {name: _by_editor(own, items, seed) for name, own in columns.items()},
        "differences": {name: _differences(own, items, seed) for name, own in columns.items()},
        "preferences": _preferences(key, raters, items, seed),
    }


def _columns(key: RatingKey, raters: Sequence[RaterAnswers], question: RatingQuestion) -> Columns:
    columns: Columns = {editor: {} for editor in key.editors}
    for name, task in key.tasks.items():
        values = _values(raters, name, question)
        if task.kind == question.about and values:
            columns[task.editors[0]][task.item] = float(np.mean(values))
    return columns


def _values(raters: Sequence[RaterAnswers], task: str, question: RatingQuestion) -> list[float]:
    """Return what the raters who answered say of a task."""
    answers = (one.answers.get((task, question.name)) for one in raters)
    return [question.values[answer] for answer in answers if answer is not None]


def _by_editor(columns: Columns, items: Mapping[str, RatingTask], seed: int) -> dict[str, Any]:
    categories = order_categories(task.category for task in items.values() if task.category)
    ways = dict.fromkeys((way, part) for task in items.values() for way, part in sorted(task.parts.items()))
    return {
        editor: {
            OVERALL: _interval(column, items, seed),
            "by_category": {c: _interval(_of(column, items, "category", c), items, seed) for c in categories},
            "by_part": {
                f"{way}: {part}": _interval(_of(column, items, way, part), items, seed) for way, part in sorted(ways)
            },
        }
        for editor, column in columns.items()
    }


def _of(column: Mapping[str, float], items: Mapping[str, RatingTask], way: str, part: str) -> dict[str, float]:
    """Return those items of a column that belong to a part of the benchmark."""
    parts = {name: {"category": items[name].category, **items[name].parts} for name in column}
    return {name: value for name, value in column.items() if parts[name].get(way) == part}


def _interval(column: Mapping[str, float], items: Mapping[str, RatingTask], seed: int) -> dict[str, Any]:
    """Return mean and interval over a column's items."""
    groups = [items[name].group for name in column]
    values = np.array(list(column.values()), dtype=np.float64).reshape(-1, 1)
    return bootstrap_columns(values, np.array(groups, dtype=object), seed=seed)[0].to_dict()


def _differences(columns: Columns, items: Mapping[str, RatingTask], seed: int) -> dict[str, Any]:
    """Return the mean of the second minus the first of each two editors, over the items that both were rated on."""
    found = {}
    for before, after in combinations(columns, 2):
        common = [name for name in columns[before] if name in columns[after]]
        column = {name: columns[after][name] - columns[before][name] for name in common}
        found[f"{after} - {before}"] = _interval(column, items, seed)
    return found


def _preferences(
    key: RatingKey, raters: Sequence[RaterAnswers], items: Mapping[str, RatingTask], seed: int
) -> dict[str, Any]:
    """Return how often the first of two editors is preferred, a tie counting half, and the answers' counts."""
    columns: dict[tuple[str, str], dict[str, float]] = {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    order = list(key.editors)
    for name, task in key.tasks.items():
        values = _values(raters, name, PREFERENCE) if task.kind == "pair" else []
        if not values:
            continue
        first, second = sorted(task.editors, key=order.index)
        own = values if task.editors[0] == first else [1 - value for value in values]
        columns.setdefault((first, second), {})[task.item] = float(np.mean(own))
        named = {1.0: first, 0.5: "equal", 0.0: second}
        counts.setdefault((first, second), Counter()).update(named[value] for value in own)
    return {
        f"{first} over {second}": {
            **_interval(column, items, seed),
            "counts": {name: counts[first, second][name] for name in (first, "equal", second)},
        }
        for (first, second), column in columns.items()
    }


def _matrix(key: RatingKey, raters: Sequence[RaterAnswers], question: RatingQuestion) -> np.ndarray:
    """Return ``(R, U)`` answers of raters and tasks as numbers, NaN where there is none."""
    tasks = [name for name, task in key.tasks.items() if task.kind == question.about]
    given = [[one.answers.get((task, question.name)) for task in tasks] for one in raters]
    rows = [[np.nan if answer is None else question.values[answer] for answer in row] for row in given]
    return np.array(rows, dtype=np.float64).reshape(len(raters), len(tasks))


def _agreement(key: RatingKey, raters: Sequence[RaterAnswers], question: RatingQuestion) -> dict[str, Any]:
    matrix = _matrix(key, raters, question)
    return {
        "alpha": krippendorff_alpha(matrix, question.scale),
        "num_raters": int((~np.isnan(matrix)).any(axis=1).sum()),
        "num_tasks": int(((~np.isnan(matrix)).sum(axis=0) >= 2).sum()),
    }


def _agreement_with(
    key: RatingKey, raters: Sequence[RaterAnswers], judge: RaterAnswers, question: RatingQuestion
) -> dict[str, Any]:
    """Return the judge's alpha with each rater, averaged, and, to hold it against, that of each two raters."""
    pairs = [_pair_alpha(key, one, judge, question) for one in raters]
    people = [_pair_alpha(key, one, other, question) for one, other in combinations(raters, 2)]
    return {"alpha": _mean(pairs), "alpha_of_two_people": _mean(people), "num_raters": len(raters)}


def _pair_alpha(key: RatingKey, first: RaterAnswers, second: RaterAnswers, question: RatingQuestion) -> float | None:
    return krippendorff_alpha(_matrix(key, [first, second], question), question.scale)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
