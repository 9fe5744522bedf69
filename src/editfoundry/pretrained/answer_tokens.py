"""Which token answers a question: the one that tells the choices apart, after what all of them begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from editfoundry.errors import BadInputError


@dataclass(frozen=True)
class AnswerTokens:
    """The tokens by which a model answers with one of several choices."""

    shared: tuple[int, ...]
    """What every answer begins with, such as the space token that some tokenizers put before a digit."""
    choices: tuple[int, ...]
    """The token of each choice, in the choices' order; all distinct."""


def answer_tokens(tokenizer: Any, prompt: str, continuations: Sequence[str], add_special_tokens: bool) -> AnswerTokens:
    """Find the choices' tokens where they stand: right after ``prompt``.

    Args:
        tokenizer: of the model.
        prompt: a whole prompt, up to where the answer begins.
        continuations: each choice as it follows the prompt, with its leading space if the chat template has one.
        add_special_tokens: as the prompts are encoded.

    Raises:
        BadInputError: two choices are the same token, or a choice takes several.
    """

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])

    # Tokenizers that close every text with a token of their own would put it before the answer.
    before = encode(prompt)
    answers = [encode(prompt + text) for text in continuations]
    if any(ids[: len(before)] != before for ids in answers):
        raise BadInputError(f"the answers {_listed(continuations)} merge with the end of the prompt into one token")
    tails = [ids[len(before) :] for ids in answers]
    columns = zip(*tails, strict=False)
    shared = tuple(column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns))
    rests = [tail[len(shared) :] for tail in tails]
    if any(len(rest) != 1 for rest in rests) or len({rest[0] for rest in rests}) != len(rests):
        raise BadInputError(
            f"the answers {_listed(continuations)} are not told apart by one token each; choose shorter ones"
        )
    return AnswerTokens(shared, tuple(rest[0] for rest in rests))


def _listed(continuations: Sequence[str]) -> str:
    return ", ".join(repr(text.strip()) for text in continuations)
