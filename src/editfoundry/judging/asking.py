"""Puts questions to a vision-language model and reads its replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from editfoundry.judging.answers import parse_answer, short_reason
from editfoundry.judging.judge_config import JudgeConfig
from editfoundry.judging.judge_prompts import QUESTIONS, Question

if TYPE_CHECKING:
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel

_NUMBERS = tuple(sorted({choice for question in QUESTIONS for choice in question.choices}))
"""Asked for together, so that questions of different scales share a batch and its pictures."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """One question about one edit."""

    question: Question
    prompt: str
    images: tuple[Image.Image, ...]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back."""

    value: float
    """On the question's scale; its lowest where the answer could not be read."""
    reason: str = ""
    unparsed: str = ""
    """What the model wrote instead of an answer."""


def ask(model: VisionLanguageModel, inquiries: Sequence[Inquiry], config: JudgeConfig) -> list[Reply]:
    """Return the replies, in order; inquiries about the same pictures should stand together."""
    if config.answers == "text":
        return [_read(text, i.question) for text, i in zip(_write(model, inquiries, config), inquiries, strict=True)]
    values = _expected_values(model, inquiries)
    reasons = iter(_write(model, [i for i in inquiries if _is_reasoned(i)], config) if config.reasons else [])
    return [
        Reply(value=value, reason=_reason(next(reasons), i.question) if config.reasons and _is_reasoned(i) else "")
        for value, i in zip(values, inquiries, strict=True)
    ]


def _write(model: VisionLanguageModel, inquiries: Sequence[Inquiry], config: JudgeConfig) -> list[str]:
    return model.generate([i.images for i in inquiries], [i.prompt for i in inquiries], config.max_new_tokens)


def _is_reasoned(inquiry: Inquiry) -> bool:
    return "reason" in inquiry.question.closing


def _read(text: str, question: Question) -> Reply:
    answer = parse_answer(text, question.choices)
    if answer is None:
        return Reply(value=float(question.choices[0]), unparsed=short_reason(text) or "(nothing)")
    return Reply(value=float(answer.number), reason=answer.reason)


def _reason(text: str, question: Question) -> str:
    answer = parse_answer(text, question.choices)
    return answer.reason if answer else short_reason(text)


def _expected_values(model: VisionLanguageModel, inquiries: Sequence[Inquiry]) -> list[float]:
    images, prompts = [i.images for i in inquiries], [i.prompt for i in inquiries]
    values = []
    for row, inquiry in zip(model.answer_probabilities(images, prompts, _NUMBERS).tolist(), inquiries, strict=True):
        weights = {choice: row[_NUMBERS.index(choice)] for choice in inquiry.question.choices}
        total = sum(weights.values())
        # Where every choice has underflowed to zero the model has said nothing: the lowest score.
        expected = sum(int(choice) * weight for choice, weight in weights.items()) / total if total > 0 else None
        values.append(float(inquiry.question.choices[0]) if expected is None else expected)
    return values
