"""Chats with a language model: what is asked, how tokens are drawn, what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from editfoundry.data.hashing import ONLY_WHEN_SET
from editfoundry.data.untrusted import whole_characters
from editfoundry.errors import BadInputError


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str
    pictures: tuple[str, ...] = field(default=(), metadata=ONLY_WHEN_SET)
    """``data:`` addresses of the pictures that come before the text; taken by endpoints."""


REFUSED, FAILED = "refused", "failed"
"""Finish reasons of a request that will not be answered: its prompt is turned down, or breaks whoever tries."""

WAITING = "waiting"
"""Finish reason of a request that waits in a file to be submitted; its ``error`` says where."""

Chat = tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question to the model."""

    chat: Chat
    """Ends with a message of the user's."""
    seed: int
    """In [0, 2**31); a local model answers the same request the same way, whatever else is asked with it."""
    body: Mapping[str, Any] | None = field(default=None, metadata=ONLY_WHEN_SET)
    """Further fields of the request's body; taken by endpoints."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn; InstructPix2Pix's settings by default (its section 3.1)."""

    temperature: float = 0.7
    """0 always takes the likeliest token."""
    top_p: float = 1.0
    """Tokens are drawn from the smallest set that has at least this probability."""
    max_tokens: int = 256
    """Tokens of an answer at most."""
    frequency_penalty: float = 0.1
    """What a token's logit loses for each time that the answer holds it already, as OpenAI's interface defines it."""
    stop: tuple[str, ...] = field(default=(), metadata=ONLY_WHEN_SET)
    """Texts that end an answer where the first of them begins; they are no part of it."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 2:
            raise BadInputError(f"temperature is {self.temperature}; it must be in [0, 2]")
        if not 0 < self.top_p <= 1:
            raise BadInputError(f"top_p is {self.top_p}; it must be above 0 and at most 1")
        if self.max_tokens < 1:
            raise BadInputError(f"max_tokens is {self.max_tokens}; it must be at least 1")
        if not -2 <= self.frequency_penalty <= 2:
            raise BadInputError(f"frequency_penalty is {self.frequency_penalty}; it must be in [-2, 2]")
        if not all(self.stop):
            raise BadInputError("stop holds an empty text; leave it out")

    @classmethod
    def of(cls, parameters: object) -> Sampling:
        """Return the sampling that a dataclass of parameters tells by the same names; what it lacks is the default.

        Raises:
            BadInputError: one of the numbers is out of bounds.
        """
        names = ("temperature", "top_p", "max_tokens", "frequency_penalty")
        return cls(**{name: getattr(parameters, name) for name in names if hasattr(parameters, name)})

    def before_stop(self, text: str) -> str:
        """Return what stands before the first text of ``stop``."""
        return text[: min([text.find(end) for end in self.stop if end in text], default=len(text))]


@dataclass(frozen=True)
class AnswerToken:
    """A token of an answer, and what might have stood in its place."""

    text: str
    log_probabilities: Mapping[str, float]
    """Token -> natural logarithm of its probability, of the likeliest ones."""


@dataclass(frozen=True, kw_only=True)
class ChatAnswer:
    """What a model said to one request, or why it could not be asked.

    A lone half of a surrogate pair, which no file could hold, becomes `untrusted.BROKEN`.
    """

    text: str = ""
    prompt_tokens: int = 0
    """0 where an endpoint does not tell."""
    completion_tokens: int = 0
    finish_reason: str = ""
    """``stop``, ``length``, what an endpoint calls it, or `REFUSED` or `FAILED` with the reason as the text."""
    error: str = ""
    """Empty for an answer; else one line. Asking again later may help."""
    tokens: tuple[AnswerToken, ...] = field(default=(), repr=False)
    """Empty where they were not asked for, or are not told."""

    def __post_init__(self) -> None:
        # Here, since texts come from streams, files and errors, and from whatever asks without an endpoint.
        for name in ("text", "finish_reason", "error"):
            object.__setattr__(self, name, whole_characters(getattr(self, name)))

    @property
    def was_turned_down(self) -> bool:
        """Whether the request will not be answered; the text says why."""
        return self.finish_reason in (REFUSED, FAILED)


OnAnswer = Callable[[int, ChatAnswer], None]
"""Called with a request's place in the batch and its answer, as soon as it is there, from the caller's thread."""


class LanguageModel(Protocol):
    """Answers chats."""

    @property
    def name(self) -> str:
        """Model @ revision, as provenance records it."""

    def answer(
        self, requests: Sequence[Request], sampling: Sampling, on_answer: OnAnswer | None = None
    ) -> list[ChatAnswer]:
        """Answer every request, in order; what failed for now has its ``error`` set.

        Raises:
            BadInputError: the model cannot be used at all, for example with a wrong key.
        """


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a model's tokens cost, in any currency."""

    per_million_prompt_tokens: float = 0.0
    per_million_completion_tokens: float = 0.0

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return the price of that many tokens."""
        return (
            prompt_tokens * self.per_million_prompt_tokens + completion_tokens * self.per_million_completion_tokens
        ) / 1e6
