"""Reads a language model's answers: JSON with or without decoration, checked against what a quadruple must be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from editfoundry.data.record import Quadruple
from editfoundry.data.untrusted import with_whole_escapes
from editfoundry.errors import Rejection
from editfoundry.pretrained.chat import FAILED, REFUSED, ChatAnswer
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.keywords import check_keywords

UNPARSABLE = "unparsable answer"
PROMPT_REFUSED = "prompt refused"
PROMPT_FAILED = "model failed at the prompt"
"""Final: it was tried often enough already."""
_UNANSWERED = {REFUSED: PROMPT_REFUSED, FAILED: PROMPT_FAILED}
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_NULL = re.compile(r"\bnull\b", re.IGNORECASE)
_STRING_OR_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)
_MAX_CHARACTERS = 100_000
_DECODER = json.JSONDecoder(strict=False)


def check_answered(answer: ChatAnswer) -> None:
    """Raise Rejection where the model was asked, but turned the prompt down, failed at it, or said nothing."""
    for finish_reason, reason in _UNANSWERED.items():
        if answer.finish_reason == finish_reason:
            raise Rejection(reason, answer.text[:200])
    if not answer.text.strip():
        raise Rejection("empty answer", answer.finish_reason)


def json_objects(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects in a text, in order, whatever stands around them; those cut off are left out.

    Code fences, prose, lists around the objects and trailing commas do not matter. Half of a surrogate pair becomes
    `untrusted.BROKEN`.
    """
    plain = with_whole_escapes(_THOUGHT.sub("", text[:_MAX_CHARACTERS]))
    return list(_objects(_without_trailing_commas(plain)))


def is_refusal(text: str) -> bool:
    """Return whether an answer without an object says ``null``."""
    return bool(_NULL.search(_THOUGHT.sub("", text)))


def read_quadruple(fields: Mapping[str, Any], category: str, source: str, config: QuadrupleConfig) -> Quadruple:
    """Check an answer's object and make a quadruple of it.

    Args:
        fields: ``input_caption``, ``instruction``, ``output_caption``, ``keywords``; others do not matter.
        category: what it was written for.
        source: where it comes from.
        config: gives the length limits.

    Raises:
        Rejection: a field is missing, of the wrong type, or too long; a keyword is no word of the input caption; or the
            output caption is the input caption.
    """
    caption = _text(fields, "input_caption", config.max_caption_characters)
    output = _text(fields, "output_caption", config.max_caption_characters)
    if _words(caption) == _words(output):
        raise Rejection("nothing changes", f"{output!r}")
    keywords = _keywords(fields.get("keywords"), config)
    check_keywords(caption, keywords)
    return Quadruple(
        input_caption=caption,
        instruction=_text(fields, "instruction", config.max_instruction_characters),
        output_caption=output,
        keywords=keywords,
        category=category,
        source=source,
    )


def read_category(text: str, categories: Iterable[str]) -> str | None:
    """Return the category that an answer names; None where it names none, or several."""
    said = _bare(_THOUGHT.sub("", text))
    named = [category for category in categories if _bare(category) in said]
    return named[0] if len(named) == 1 else None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _without_trailing_commas(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: "" if match[0] == "," else match[0], text)


def _text(fields: Mapping[str, Any], name: str, max_characters: int) -> str:
    value = fields.get(name)
    label = name.replace("_", " ")
    if not isinstance(value, str) or not value.strip():
        raise Rejection(f"no {label}", f"{value!r}"[:200])
    text = " ".join(value.split())
    if not text.isprintable():
        raise Rejection(f"control characters in {label}", repr(text)[:200])
    if len(text) > max_characters:
        raise Rejection(f"{label} too long", f"{len(text)} characters; at most {max_characters}")
    return text


def _keywords(value: object, config: QuadrupleConfig) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Rejection("no keywords", f"{value!r}"[:200])
    stripped = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if len(stripped) > config.max_keywords:
        raise Rejection("too many keywords", f"{len(stripped)}; at most {config.max_keywords}")
    return stripped


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()
