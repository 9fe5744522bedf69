"""Teaches a tokenizer of whole words those that it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from editfoundry.synthesis.instructions.instruction_format import MARKS


def learn_words(tokenizer: Any, texts: Iterable[str]) -> list[int]:
    """Add to a tokenizer what it would read as its unknown token; return the ids of the new words and marks.

    Tokenizers of bytes know everything, and get nothing. One of words is given each word of ``texts`` that it lacks,
    and the format's marks. What it knew keeps its id.
    """
    if not _has_unknown(tokenizer, [*MARKS, *texts]):
        return []
    from tokenizers import AddedToken, Tokenizer

    before = len(tokenizer)
    splitter = tokenizer.backend_tokenizer.pre_tokenizer
    layout = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = layout["model"]["vocab"]
    words = sorted({piece for text in texts for piece, _ in splitter.pre_tokenize_str(text)} - set(vocabulary))
    # Tokens that were added keep their ids only where the vocabulary names them.
    vocabulary |= {added["content"]: added["id"] for added in layout["added_tokens"]}
    start = max(vocabulary.values()) + 1
    vocabulary |= {word: start + number for number, word in enumerate(words)}
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(layout))
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    return list(range(before, len(tokenizer)))


def _has_unknown(tokenizer: Any, texts: list[str]) -> bool:
    """Return whether a tokenizer of whole words lacks one of them."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"] if tokenizer.is_fast else {}
    if model.get("type") != "WordLevel":
        return False
    return any(tokenizer.unk_token_id in tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
