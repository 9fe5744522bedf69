"""The text condition of a batch: looked up where the encoder is frozen, computed where it trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from editfoundry.training.texts import TextCache

PromptEmbeds = Callable[[np.ndarray, Tensor], Tensor]
"""Rows of the text cache, ``(B,)``, and which of their tokens to leave out, ``(B, L)`` bool, to embeddings
``(B, L, D)`` on the device."""


def prompt_embeds_from(texts: TextCache, text_encoder: nn.Module, device: torch.device, trains: bool) -> PromptEmbeds:
    """Return the cheapest way to a batch's embeddings; gradients reach the encoder only where it ``trains``."""
    embeds = texts.embeds
    if embeds is not None and not trains:
        # No token is left out of what was encoded before: the configuration sees to it.
        return lambda rows, _: torch.from_numpy(embeds[rows]).to(device, non_blocking=True)

    def encode(rows: np.ndarray, drop_tokens: Tensor) -> Tensor:
        with torch.set_grad_enabled(trains):
            encoded: Tensor = text_encoder(texts.tokens_of(rows, drop_tokens).to(device))[0]
        return encoded

    return encode
