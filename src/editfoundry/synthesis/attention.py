"""Cross-attention maps of keywords, collected while a picture is being painted (EditWorld, text branch, step 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from editfoundry.errors import Rejection
from editfoundry.synthesis.config import PAPER_TAU

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTokenizer

_END_OF_WORD = "</w>"


class KeywordAttention:
    """A running mean of the keywords' cross-attention over heads, layers of one resolution, and steps.

    Nothing per step is kept: memory is ``B x num_keywords x resolution x resolution``.
    """

    def __init__(self, token_weights: Tensor, resolution: int) -> None:
        """``token_weights`` is ``(B, K, L)`` float: row k averages the tokens of keyword k; zero rows are padding."""
        self.token_weights = token_weights
        self.resolution = resolution
        self._sum = torch.zeros(*token_weights.shape[:2], resolution, resolution)
        self._count = 0

    def add(self, probabilities: Tensor) -> None:
        """Add one layer's attention, ``(2B or B, heads, H*W, L)``; of a guided batch the prompted half is taken."""
        prompted = probabilities[-len(self.token_weights) :].mean(1)
        maps = torch.einsum("bql,bkl->bkq", prompted.float(), self.token_weights.to(prompted.device))
        self._sum += maps.reshape(self._sum.shape).cpu()
        self._count += 1

    def maps(self) -> Tensor:
        """Return the mean over everything added and over each record's keywords: ``(B, resolution, resolution)``."""
        if not self._count:
            raise ValueError(f"no cross-attention layer of this UNet works at {self.resolution} x {self.resolution}")
        num_keywords = self.token_weights.any(-1).sum(1).clamp(min=1)
        return self._sum.sum(1) / num_keywords[:, None, None] / self._count


class _CollectingProcessor:
    """Plain scaled dot-product attention that hands the probabilities of cross-attention to a collector."""

    def __init__(self, collector: KeywordAttention) -> None:
        self.collector = collector

    def __call__(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None, **_: object,
    ) -> Tensor:  # fmt: skip
        keys_from = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            _split_heads(projected, attn.heads)
            for projected in (attn.to_q(hidden_states), attn.to_k(keys_from), attn.to_v(keys_from))
        )
        wanted = encoder_hidden_states is not None and query.shape[2] == self.collector.resolution**2
        if wanted:
            probabilities = (query @ key.transpose(-1, -2) * attn.scale).softmax(-1)
            self.collector.add(probabilities)
            attended = probabilities @ value
        else:
            attended = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        merged = attended.transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](merged)) / attn.rescale_output_factor


@contextmanager
def collected_attention(
    unet: UNet2DConditionModel, token_weights: Tensor, resolution: int
) -> Iterator[KeywordAttention]:
    """Collect the keywords' attention of everything ``unet`` does inside the ``with`` block."""
    collector = KeywordAttention(token_weights, resolution)
    before = dict(unet.attn_processors)
    unet.set_attn_processor(_CollectingProcessor(collector))  # type: ignore[arg-type]
    try:
        yield collector
    finally:
        unet.set_attn_processor(before)


def keyword_token_weights(
    tokenizer: CLIPTokenizer, captions: Sequence[str], keywords: Sequence[Sequence[str]]
) -> Tensor:
    """Find each keyword's tokens in its caption.

    Args:
        tokenizer: the text encoder's.
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


def attention_mask(maps: Tensor, tau: float = PAPER_TAU) -> Tensor:
    """Binarise ``(B, H, W)`` maps: true where at least ``tau`` times the map's own mean (paper: 0.8125, code: 0.85)."""
    return maps >= tau * maps.mean(dim=(1, 2), keepdim=True)


def _positions(tokens: Sequence[str], word: Sequence[str]) -> list[int]:
    found: list[int] = []
    # Token 0 is the start of the text; a word begins where another one, or the start, has ended.
    for start in range(1, len(tokens) - len(word) + 1):
        begins = start == 1 or tokens[start - 1].endswith(_END_OF_WORD)
        if begins and list(tokens[start : start + len(word)]) == list(word):
            found += range(start, start + len(word))
    return found


def _split_heads(states: Tensor, heads: int) -> Tensor:
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)
