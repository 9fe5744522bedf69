"""The schema of a written answer: a number of the scale, then a short reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_REASON_LENGTH = 200
_ANSWER = re.compile(
    r"(?:the\s+)?(?:score|rating|answer)?(?:\s+is)?\s*[:=]?\s*(?P<number>\d+)(?:\s*/\s*5)?(?P<rest>(?!\d|[.,]\d).*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Answer:
    """A parsed answer."""

    number: int
    reason: str
    """One line; empty where none is given."""


def parse_answer(text: str, choices: Sequence[str]) -> Answer | None:
    """Read ``4, the egg is fried``, ``4/5: ...`` or ``Score: 4. ...``; None for a text that is no answer.

    A number that is none of ``choices`` is no answer, nor is a fraction, nor a number further on in the text.
    """
    match = _ANSWER.fullmatch(text.strip().strip("*_`\"'([ "))
    if match is None or match["number"] not in choices:
        return None
    return Answer(int(match["number"]), short_reason(match["rest"]))


def short_reason(text: str) -> str:
    """Return text that a model wrote as one printable line of at most ``MAX_REASON_LENGTH`` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.strip(" .,:;-*_`\"'()[]").strip()[:MAX_REASON_LENGTH]
