"""Where a caption's keywords lie among its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from editfoundry.errors import Rejection

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

_END_OF_WORD = "</w>"


def keyword_token_weights(
    tokenizer: CLIPTokenizer, captions: Sequence[str], keywords: Sequence[Sequence[str]]
) -> Tensor:
    """Find each keyword's tokens in its caption.

    Args:
        tokenizer: the text encoder's. SDXL's two tokenizers share their vocabulary and differ in padding alone, so
            either gives the positions in the concatenated embeddings.
        captions: ``B`` captions.
        keywords: for each caption its single words.

    Returns:
        ``(B, K, L)`` float; entry ``[b, k]`` is the mean over all tokens of keyword k, and zero where b has fewer.

    Raises:
        Rejection: a keyword is not among the tokens of its caption.
    """
    length = tokenizer.model_max_length
    weights = torch.zeros(len(captions), max(map(len, keywords)), length)
    for row, (caption, words) in enumerate(zip(captions, keywords, strict=True)):
        ids = tokenizer(caption, truncation=True, max_length=length)["input_ids"]
        tokens = tokenizer.convert_ids_to_tokens(ids)
        for column, word in enumerate(words):
            positions = _positions(tokens, tokenizer.tokenize(word))
            if not positions:
                raise Rejection("keyword not in caption", f"{word!r} is not in {caption!r}")
            weights[row, column, positions] = 1 / len(positions)
    return weights


def _positions(tokens: Sequence[str], word: Sequence[str]) -> list[int]:
    found: list[int] = []
    # Token 0 is the start of the text; a word begins where another one, or the start, has ended.
    for start in range(1, len(tokens) - len(word) + 1):
        begins = start == 1 or tokens[start - 1].endswith(_END_OF_WORD)
        if begins and list(tokens[start : start + len(word)]) == list(word):
            found += range(start, start + len(word))
    return found
