"""The profile's judge as one more rater: a vision-language model that answers a sheet's questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.data.images import open_image
from editfoundry.evaluation.ratings.rating_files import JUDGE, RaterAnswers
from editfoundry.evaluation.ratings.rating_key import RatingKey, RatingTask
from editfoundry.evaluation.ratings.rating_questions import PREFERENCE, QUESTIONS, RatingQuestion
from editfoundry.evaluation.reports.inlined_pictures import picture_path
from editfoundry.judging import JudgeConfig
from editfoundry.judging.asking import Inquiry, ask
from editfoundry.judging.judge_prompts import FACTS, Question

if TYPE_CHECKING:
    from editfoundry.pretrained.judge_model import JudgeModel

TASKS_AT_ONCE = 16
_PROMPT = FACTS[2]
"""How the judge is told what a picture must show."""
_YES_OR_NO = ("0", "1")
_GRADES = ("1", "2", "3", "4", "5")
_FIRST_OR_SECOND = ("1", "2")
_MIDDLE = 1.5


def judge_ratings(
    model: JudgeModel, key: RatingKey, progress: Callable[[int, int], None] | None = None
) -> RaterAnswers:
    """Return a model's answers to a sheet.

    It is asked for yes or no, for a grade, and of two edits which is the better one: in both orders, and where the two
    answers contradict each other, there is no difference.

    Args:
        model: the profile's vision-language model.
        key: of the sheet; the runs' folders must still be where they were.
        progress: called with tasks done and tasks in all.

    Raises:
        BadInputError: a picture is not there any more.
        UnavailableError: an endpoint left questions unanswered.
    """
    answers: dict[tuple[str, str], str] = {}
    names = list(key.tasks)
    for start in range(0, len(names), TASKS_AT_ONCE):
        chosen = names[start : start + TASKS_AT_ONCE]
        answers |= _answered(model, key, chosen)
        if progress is not None:
            progress(start + len(chosen), len(names))
    return RaterAnswers(rater=JUDGE, answers=answers)


def _answered(model: JudgeModel, key: RatingKey, names: Sequence[str]) -> dict[tuple[str, str], str]:
    asked: list[tuple[str, RatingQuestion, list[Inquiry]]] = []
    for name in names:
        task = key.tasks[name]
        pictures = _pictures(key, task)
        asked += [(name, q, _inquiries(q, task, pictures)) for q in QUESTIONS if q.about == task.kind]
    replies = ask(model, [inquiry for _, _, own in asked for inquiry in own], JudgeConfig(reasons=False))
    values = iter([reply.value for reply in replies])
    return {(name, q.name): _answer(q, [next(values) for _ in own]) for name, q, own in asked}


def _pictures(key: RatingKey, task: RatingTask) -> tuple[Image.Image, ...]:
    rated = [key.editors[name] for name in task.editors]
    paths = (picture_path(_folder(one.run), "edits", task.item, one.editor) for one in rated)
    return tuple(open_image(path) for path in paths)


def _folder(run: str) -> Path:
    path = Path(run)
    return path.parent if path.suffix == ".json" else path


def _inquiries(question: RatingQuestion, task: RatingTask, pictures: tuple[Image.Image, ...]) -> list[Inquiry]:
    """Return what the judge is asked: once, or of a pair in both orders."""
    orders = [pictures, pictures[::-1]] if question is PREFERENCE else [pictures]
    prompt = "\n".join([_task_of(question), f"{_PROMPT} {task.prompt}", _closing_of(question)])
    return [Inquiry(question=_as_judged(question), prompt=prompt, images=order) for order in orders]


def _as_judged(question: RatingQuestion) -> Question:
    return Question(
        name=question.name,
        task=_task_of(question),
        closing=_closing_of(question),
        choices=_FIRST_OR_SECOND if question is PREFERENCE else _GRADES if question.scale == "ordinal" else _YES_OR_NO,
        shows_input=False,
        tells_texts=True,
    )


def _task_of(question: RatingQuestion) -> str:
    shown = "These are two pictures of one prompt." if question is PREFERENCE else "This picture was made for a prompt."
    return f"{shown} {question.text}"


def _closing_of(question: RatingQuestion) -> str:
    if question is PREFERENCE:
        return "Answer 1 for the first or 2 for the second."
    return "Answer with one number from 1 to 5." if question.scale == "ordinal" else "Answer 1 for yes or 0 for no."


def _answer(question: RatingQuestion, values: Sequence[float]) -> str:
    """Return a rater's answer from what the judge's replies come to; values are expectations over its choices."""
    if question is PREFERENCE:
        firsts: Mapping[tuple[bool, bool], str] = {(True, False): "left", (False, True): "right"}
        return firsts.get((values[0] < _MIDDLE, values[1] < _MIDDLE), "equal")
    if question.scale == "ordinal":
        return str(min(5, max(1, round(values[0]))))
    return "yes" if values[0] > 0.5 else "no"
