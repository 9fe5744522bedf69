"""MGIE's edit head: the language model's states at the picture tokens become what the UNet's cross-attention reads."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn


class EditHead(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A small encoder-decoder (MGIE, section 3.2): learned queries read the projected states of the picture tokens.

    Args:
        state_dim: width of the language model.
        hidden_dim: width of the transformer.
        num_layers: of its encoder, and of its decoder.
        num_heads: of its attention.
        feedforward_dim: inner width of its feed-forward layers.
        num_queries: tokens that the UNet gets.
        output_dim: width of the UNet's cross-attention.
    """

    @register_to_config
    def __init__(
        self,
        state_dim: int = 4096,
        hidden_dim: int = 512,
        num_layers: int = 4,
        num_heads: int = 4,
        feedforward_dim: int = 2048,
        num_queries: int = 77,
        output_dim: int = 768,
    ) -> None:
        super().__init__()
        self.project_in = nn.Linear(state_dim, hidden_dim)
        self.queries = nn.Parameter(torch.randn(num_queries, hidden_dim))
        plain: dict[str, Any] = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(hidden_dim, num_heads, feedforward_dim, **plain)
        # What nn.Transformer would build itself, but for a warning that nested tensors need post-norm.
        encoder = nn.TransformerEncoder(layer, num_layers, nn.LayerNorm(hidden_dim), enable_nested_tensor=False)
        self.transformer = nn.Transformer(
            hidden_dim,
            num_heads,
            num_decoder_layers=num_layers,
            dim_feedforward=feedforward_dim,
            custom_encoder=encoder,
            **plain,
        )
        self.project_out = nn.Linear(hidden_dim, output_dim)

    def forward(self, states: Tensor, token_embeds: Tensor) -> Tensor:
        """Return what the UNet attends to, ``(B, num_queries, output_dim)``.

        Args:
            states: ``(B, T, state_dim)``, the states that predict the T picture tokens; zeros for the null condition.
            token_embeds: ``(T, state_dim)``, the picture tokens' embeddings, which are added even to zeros.
        """
        read = self.project_in(states + token_embeds)
        written: Tensor = self.project_out(self.transformer(read, self.queries.expand(len(states), -1, -1)))
        return written

    def null(self, token_embeds: Tensor) -> Tensor:
        """Return the null condition, ``(1, num_queries, output_dim)``."""
        nothing: Tensor = self(torch.zeros_like(token_embeds)[None], token_embeds)
        return nothing
