"""Asks an endpoint the judge's questions: answers by a JSON schema, their probabilities where it tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from editfoundry.data.untrusted import parse_json, with_whole_escapes
from editfoundry.judging.answers import Answer, parse_answer, short_reason

if TYPE_CHECKING:
    from editfoundry.pretrained.chat import AnswerToken, ChatAnswer

NUM_ALTERNATIVES = 20
"""Likeliest tokens that are asked for in each place; more are not told."""
_FENCE = "```"


def answer_format(choices: Sequence[str], has_reason: bool) -> dict[str, Any]:
    """Return the field ``response_format`` for an answer that is one of ``choices``, and then a reason."""
    properties: dict[str, Any] = {"answer": {"type": "integer", "enum": [int(choice) for choice in choices]}}
    if has_reason:
        properties["reason"] = {"type": "string"}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": schema}}


def format_in_words(has_reason: bool) -> str:
    """Return what a prompt says of the format, for endpoints that know no schema."""
    reason = ', "reason": "in a few words"' if has_reason else ""
    return 'Reply with JSON alone: {"answer": NUMBER' + reason + "}"


def parse_structured(text: str, choices: Sequence[str]) -> Answer | None:
    """Read an answer, as JSON or as `parse_answer` does; None for a text that is neither."""
    found = _json_object(text)
    if found is None:
        return parse_answer(text, choices)
    number = found.get("answer")
    if type(number) is not int or str(number) not in choices:
        return None
    reason = found.get("reason")
    return Answer(number, short_reason(reason) if isinstance(reason, str) else "")


def expected_value(answer: ChatAnswer, choices: Sequence[str]) -> float | None:
    """Return the expectation over the choices where the answer's number stands; None where no token tells it."""
    place = next((token for token in answer.tokens if _bare(token.text) in choices), None)
    if place is None:
        return None
    weights = _weights(place, choices)
    total = sum(weights.values())
    return sum(int(choice) * weight for choice, weight in weights.items()) / total if total > 0 else None


def _weights(token: AnswerToken, choices: Sequence[str]) -> Mapping[str, float]:
    weights = dict.fromkeys(choices, 0.0)
    for text, log_probability in token.log_probabilities.items():
        if _bare(text) in weights:
            weights[_bare(text)] += math.exp(min(0.0, log_probability))
    return weights


def _bare(token: str) -> str:
    """Return a token without the space or quotation mark that a tokenizer or a writer puts around a digit."""
    return token.strip(" \n\t\"':")


def _json_object(text: str) -> dict[str, Any] | None:
    plain = text.strip()
    if plain.startswith(_FENCE):
        plain = plain.strip("`").removeprefix("json").strip()
    try:
        value = parse_json(with_whole_escapes(plain))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
