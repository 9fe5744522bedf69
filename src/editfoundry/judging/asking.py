"""Puts questions to a vision-language model and reads its replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.judging.answers import parse_answer, short_reason
from editfoundry.judging.judge_config import JudgeConfig
from editfoundry.judging.judge_prompts import QUESTIONS, Question
from editfoundry.judging.structured_answers import (
    NUM_ALTERNATIVES,
    answer_format,
    expected_value,
    format_in_words,
    parse_structured,
)

if TYPE_CHECKING:
    from editfoundry.pretrained.chat import ChatAnswer
    from editfoundry.pretrained.judge_model import JudgeModel
    from editfoundry.pretrained.vision_endpoint import VisionEndpoint
    from editfoundry.pretrained.vision_language_model import VisionLanguageModel

_NUMBERS = tuple(sorted({choice for question in QUESTIONS for choice in question.choices}))
"""Asked for together, so that questions of different scales share a batch and its pictures."""
_NUM_ASKED = 2
"""How often an endpoint is asked before an answer that is none counts."""
_FORMAT_TOKENS = 40
"""What JSON takes beside the answer itself."""


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


def ask(model: JudgeModel, inquiries: Sequence[Inquiry], config: JudgeConfig, attempt: int = 0) -> list[Reply]:
    """Return the replies, in order; inquiries about the same pictures should stand together.

    Args:
        model: local, or an endpoint.
        inquiries: what is asked.
        config: how.
        attempt: which time the same is asked; local weights say the same each time.
    """
    from editfoundry.pretrained.vision_endpoint import VisionEndpoint

    if isinstance(model, VisionEndpoint):
        return _ask_endpoint(model, inquiries, config, attempt)
    if config.answers == "text":
        return [_read(text, i.question) for text, i in zip(_write(model, inquiries, config), inquiries, strict=True)]
    values = _expected_values(model, inquiries)
    reasons = iter(_write(model, [i for i in inquiries if _is_reasoned(i)], config) if config.reasons else [])
    return [
        Reply(value=value, reason=_reason(next(reasons), i.question) if config.reasons and _is_reasoned(i) else "")
        for value, i in zip(values, inquiries, strict=True)
    ]


def _ask_endpoint(
    model: VisionEndpoint, inquiries: Sequence[Inquiry], config: JudgeConfig, attempt: int
) -> list[Reply]:
    """Ask for number and reason at once; what is no answer is asked a second time."""
    replies = [Reply(value=0.0)] * len(inquiries)
    open_ones = list(range(len(inquiries)))
    for number in range(_NUM_ASKED):
        chosen = [inquiries[place] for place in open_ones]
        answers = model.answer(
            [inquiry.images for inquiry in chosen],
            [f"{i.prompt}\n{format_in_words(config.reasons and _is_reasoned(i))}" for i in chosen],
            config.max_new_tokens + _FORMAT_TOKENS,
            [_body(inquiry, config) for inquiry in chosen],
            attempt * _NUM_ASKED + number,
        )
        for place, inquiry, answer in zip(open_ones, chosen, answers, strict=True):
            replies[place] = _read_endpoint(answer, inquiry.question)
        pairs = zip(open_ones, answers, strict=True)
        open_ones = [place for place, answer in pairs if replies[place].unparsed and not answer.was_turned_down]
        if not open_ones:
            break
    return replies


def _body(inquiry: Inquiry, config: JudgeConfig) -> dict[str, Any]:
    shape = {"response_format": answer_format(inquiry.question.choices, config.reasons and _is_reasoned(inquiry))}
    asks_probabilities = config.answers == "probabilities"
    return shape | ({"logprobs": True, "top_logprobs": NUM_ALTERNATIVES} if asks_probabilities else {})


def _read_endpoint(answer: ChatAnswer, question: Question) -> Reply:
    found = None if answer.was_turned_down else parse_structured(answer.text, question.choices)
    if found is None:
        return Reply(value=float(question.choices[0]), unparsed=short_reason(answer.text) or "(nothing)")
    expected = expected_value(answer, question.choices)
    return Reply(value=float(found.number) if expected is None else expected, reason=found.reason)


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
