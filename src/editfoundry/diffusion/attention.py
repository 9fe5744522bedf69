"""Cross-attention maps of keywords, collected while a picture is being painted (EditWorld, text branch, step 2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from editfoundry.diffusion.prompt_embeds import latent_size
from editfoundry.errors import BadInputError

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

_PROBABILITIES_AT_ONCE = 2**26
"""Attention is observed a few rows at a time, so that at most 256 MiB of probabilities exist at once."""


class KeywordAttention:
    """A running mean of the keywords' cross-attention over heads, layers of one resolution, and steps.

    Nothing per step is kept: memory is ``B x num_keywords x height x width``.
    """

    def __init__(self, token_weights: Tensor, size: tuple[int, int]) -> None:
        """``token_weights`` is ``(B, K, L)`` float: row k averages the tokens of keyword k; zero rows are padding."""
        self.token_weights = token_weights
        self.size = size
        self._sum = torch.zeros(*token_weights.shape[:2], *size, device=token_weights.device)
        self._count = 0

    def add(self, attn: Attention, hidden_states: Tensor, text: Tensor) -> None:
        """Add one layer's attention; of a guided batch, ``2B`` rows, the prompted half is taken.

        Args:
            attn: the layer, whose projections are used.
            hidden_states: ``(2B or B, height * width, C)``.
            text: ``(2B or B, L, D)``.
        """
        count, num_queries = len(self.token_weights), hidden_states.shape[1]
        rows = max(1, _PROBABILITIES_AT_ONCE // (attn.heads * num_queries * text.shape[1]))
        hidden_states, text = hidden_states[-count:], text[-count:]
        for start in range(0, count, rows):
            part = slice(start, start + rows)
            probabilities = attention_probabilities(attn, hidden_states[part], text[part]).mean(1)
            maps = torch.einsum("bql,bkl->bkq", probabilities, self.token_weights[part])
            self._sum[part] += maps.unflatten(-1, self.size)
        self._count += 1

    def maps(self) -> Tensor:
        """Return the mean over everything added and over each record's keywords: ``(B, height, width)``."""
        if not self._count:
            raise ValueError("nothing was painted while attention was collected")
        num_keywords = self.token_weights.any(-1).sum(1).clamp(min=1)
        return self._sum.sum(1) / num_keywords[:, None, None] / self._count


class _ObservedProcessor:
    """A layer's own processor, which makes the output; what it attends to is shown to a collector first."""

    def __init__(self, collector: KeywordAttention, processor: Any) -> None:
        self.collector, self.processor = collector, processor

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Any = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        **extra: Any,
    ) -> Tensor:
        # IP-Adapter gives the text together with its image tokens.
        text = encoder_hidden_states[0] if isinstance(encoder_hidden_states, tuple) else encoder_hidden_states
        self.collector.add(attn, *normalised_inputs(attn, hidden_states, text, temb))
        return self.processor(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **extra)


@contextmanager
def collected_attention(
    unet: UNet2DConditionModel, token_weights: Tensor, resolution: int, size: tuple[int, int] | None = None
) -> Iterator[KeywordAttention]:
    """Collect the keywords' attention of everything ``unet`` does inside the ``with`` block.

    Args:
        unet: a Stable Diffusion or SDXL UNet; what it computes stays the same, bit for bit.
        token_weights: ``(B, K, L)`` from `keyword_token_weights`.
        resolution: shorter side of the maps that are collected, in latent pixels.
        size: height and width of the latents; by default the UNet's own.

    Raises:
        BadInputError: no cross-attention layer works at that resolution.
    """
    layers, map_size = _layers_at(unet, resolution, size or latent_size(unet))
    collector = KeywordAttention(token_weights.to(unet.device), map_size)
    before = [layer.processor for layer in layers]
    for layer in layers:
        layer.set_processor(_ObservedProcessor(collector, layer.processor))  # type: ignore[arg-type]
    try:
        yield collector
    finally:
        for layer, processor in zip(layers, before, strict=True):
            layer.set_processor(processor)


def cross_attention_sizes(unet: UNet2DConditionModel, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return the height and width of each cross-attention layer's map, by its name, for latents of ``size``."""
    num_levels = len(unet.config.block_out_channels)
    sizes = [size]
    for _ in range(num_levels - 1):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    found = {}
    for name, module in unet.named_modules():
        if isinstance(module, Attention) and name.endswith("attn2"):
            part, block = name.split(".")[:2]
            level = {"down_blocks": 0, "up_blocks": num_levels - 1}.get(part, num_levels - 1)
            step = {"down_blocks": 1, "up_blocks": -1}.get(part, 0)
            found[name] = sizes[level + step * int(block)] if step else sizes[level]
    return found


def attention_mask(maps: Tensor, tau: float) -> Tensor:
    """Binarise ``(B, H, W)`` maps: true where at least ``tau`` times the map's own mean (paper: 0.8125, code: 0.85)."""
    return maps >= tau * maps.mean(dim=(1, 2), keepdim=True)


def _layers_at(
    unet: UNet2DConditionModel, resolution: int, size: tuple[int, int]
) -> tuple[list[Attention], tuple[int, int]]:
    sizes = cross_attention_sizes(unet, size)
    names = [name for name, map_size in sizes.items() if min(map_size) == resolution]
    if not names:
        known = ", ".join(sorted({str(min(map_size)) for map_size in sizes.values()}, key=int))
        raise BadInputError(
            f"attention_resolution is {resolution}, at which no cross-attention layer of this UNet works; use {known}"
        )
    return [unet.get_submodule(name) for name in names], sizes[names[0]]  # type: ignore[misc]


def normalised_inputs(
    attn: Attention, hidden_states: Tensor, text: Tensor | None, temb: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Prepare a layer's inputs as diffusers' own processor does before it projects them; no text is self-attention."""
    if attn.spatial_norm is not None:
        hidden_states = attn.spatial_norm(hidden_states, temb)
    if hidden_states.ndim == 4:
        hidden_states = hidden_states.flatten(2).transpose(1, 2)
    if attn.group_norm is not None:
        hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
    if text is None:
        return hidden_states, hidden_states
    return hidden_states, attn.norm_encoder_hidden_states(text) if attn.norm_cross else text


def attention_probabilities(attn: Attention, hidden_states: Tensor, text: Tensor) -> Tensor:
    """Return ``(B, heads, height * width, L)`` float32."""
    query, key = (
        projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        for projected in (attn.to_q(hidden_states), attn.to_k(text))
    )
    query = query if attn.norm_q is None else attn.norm_q(query)
    key = key if attn.norm_k is None else attn.norm_k(key)
    # Scaled before the product, which could overflow float16.
    return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1, dtype=torch.float32)
