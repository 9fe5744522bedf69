"""Reads chat completions: one JSON document, or a stream of server-sent events that may break off."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from editfoundry.data.untrusted import whole_characters
from editfoundry.pretrained.chat import AnswerToken, ChatAnswer

_BYTES_PER_TOKEN = 64
_SPARE_BYTES = 1_000_000
_REFUSALS = ("content_filter", "content_policy_violation", "context_length_exceeded")
_TOO_LONG = "maximum context length"
"""What vLLM and others, which give no code, say of a prompt that does not fit."""


class BrokenAnswer(Exception):
    """The answer is cut off or is not what the protocol says; asking again may help."""


class PromptRefused(Exception):
    """The endpoint will never answer this prompt, for example because of its content filter."""


def read_answer(chunks: Iterable[bytes], deadline: float, max_tokens: int) -> ChatAnswer:
    """Read a whole JSON answer.

    Args:
        chunks: the body.
        deadline: of ``time.monotonic``.
        max_tokens: what was asked for; an absurdly larger body is not read to its end.

    Raises:
        BrokenAnswer: the body is too late, too long, or no chat completion.
        Refused: it holds a lasting error.
    """
    body = bytearray()
    for chunk in chunks:
        body += chunk
        _check(deadline, len(body), max_tokens)
    data = _json(bytes(body))
    choice = _first_choice(data)
    if choice is None:
        raise BrokenAnswer("an answer without choices")
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    return _answer(text or "", data.get("usage"), choice.get("finish_reason") or "stop", _tokens(choice))


def read_stream(chunks: Iterable[bytes], deadline: float, max_tokens: int) -> ChatAnswer:
    """Put an answer together from server-sent events.

    Args:
        chunks: the body, cut anywhere.
        deadline: of ``time.monotonic``.
        max_tokens: what was asked for.

    Raises:
        BrokenAnswer: the stream is too late, too long, holds an error, or ends before the answer does.
        Refused: it holds a lasting error.
    """
    answer = _Partial()
    for line in _lines(chunks, deadline, max_tokens):
        if not line.startswith("data:"):
            continue
        payload = line.removeprefix("data:").strip()
        if payload == "[DONE]":
            answer.done = True
            break
        answer.add(_json(payload))
    if not answer.done and not answer.finish_reason:
        raise BrokenAnswer("the stream ended in the middle of the answer")
    return _answer("".join(answer.pieces), answer.usage, answer.finish_reason or "stop", tuple(answer.tokens))


def is_about_prompt(code: str, message: str) -> bool:
    """Return whether an error is about this one prompt and stays, however often it is asked."""
    return code in _REFUSALS or _TOO_LONG in message


def _lines(chunks: Iterable[bytes], deadline: float, max_tokens: int) -> Iterator[str]:
    """Yield the lines of a body."""
    rest, length = b"", 0
    for chunk in chunks:
        length += len(chunk)
        _check(deadline, length, max_tokens)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    yield rest.decode("utf-8", "replace")


@dataclass
class _Partial:
    """What has arrived so far."""

    pieces: list[str] = field(default_factory=list)
    tokens: list[AnswerToken] = field(default_factory=list)
    usage: Any = None
    finish_reason: str = ""
    done: bool = False

    def add(self, event: dict[str, Any]) -> None:
        choice = _first_choice(event)
        # The last event may hold the token counts alone.
        self.usage = event.get("usage") or self.usage
        if choice is None:
            return
        delta = choice.get("delta")
        content = delta.get("content") if isinstance(delta, dict) else None
        if isinstance(content, str):
            self.pieces.append(content)
        self.tokens += _tokens(choice)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason


def _check(deadline: float, length: int, max_tokens: int) -> None:
    if time.monotonic() > deadline:
        raise BrokenAnswer("the answer did not end in time")
    if length > max_tokens * _BYTES_PER_TOKEN * 8 + _SPARE_BYTES:
        raise BrokenAnswer("the answer is absurdly long")


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BrokenAnswer(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BrokenAnswer("JSON, but no object")
    if data.get("error"):
        error_data = data["error"] if isinstance(data["error"], dict) else {"message": data["error"]}
        message = str(error_data.get("message", error_data))
        if is_about_prompt(str(error_data.get("code")), message):
            raise PromptRefused(message)
        raise BrokenAnswer(message)
    return data


def _first_choice(data: dict[str, Any]) -> dict[str, Any] | None:
    choices = data.get("choices")
    if not choices:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise BrokenAnswer("choices that are no list of objects")
    return choices[0]


def _tokens(choice: dict[str, Any]) -> tuple[AnswerToken, ...]:
    """Return the tokens of a choice with the likeliest alternatives to each; none where they are not told."""
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    return tuple(_token(entry) for entry in content if isinstance(entry, dict)) if isinstance(content, list) else ()


def _token(entry: dict[str, Any]) -> AnswerToken:
    likeliest = entry.get("top_logprobs")
    rows = [entry, *(row for row in likeliest if isinstance(row, dict))] if isinstance(likeliest, list) else [entry]
    known = {
        whole_characters(row["token"]): float(row["logprob"])
        for row in rows
        if isinstance(row.get("token"), str) and type(row.get("logprob")) in (int, float)
    }
    return AnswerToken(whole_characters(str(entry.get("token", ""))), known)


def _answer(text: object, usage: object, finish_reason: object, tokens: tuple[AnswerToken, ...]) -> ChatAnswer:
    if not isinstance(text, str):
        raise BrokenAnswer("an answer whose content is no text")
    counts = usage if isinstance(usage, dict) else {}
    return ChatAnswer(
        text=text,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        finish_reason=str(finish_reason),
        tokens=tokens,
    )


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0
