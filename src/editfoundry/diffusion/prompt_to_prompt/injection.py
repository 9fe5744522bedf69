"""Attention of the source branch put in the place of the target branch's, inside the UNet (Hertz et al., 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from editfoundry.diffusion.attention import attention_probabilities, normalised_inputs
from editfoundry.diffusion.prompt_to_prompt.alignment import Alignment

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel


@dataclass
class Injection:
    """What is shared at the step at hand; the sampler switches it from step to step."""

    alignment: Alignment
    max_self_attention_pixels: int | None
    """Self-attention is shared in layers of at most this many latent pixels; None for all layers."""
    cross_is_on: Tensor
    """``(B,)`` bool: the pairs whose cross-attention is shared now."""
    self_is_on: Tensor
    """``(B,)`` bool: likewise for self-attention."""
    in_null_half: bool = False
    """Whether the target takes the source's self-attention under the null condition too, as InstructPix2Pix's release
    has it, and not only under the captions."""
    features_are_on: Tensor | None = None
    """``(B,)`` bool: the pairs whose decoder features are shared now (plug-and-play); None where none ever are."""
    decoder_alone: bool = False
    """Whether self-attention is shared in the UNet's decoder alone, as plug-and-play has it."""

    def changes(self, is_cross: bool, num_queries: int) -> bool:
        """Return whether a layer's probabilities are to be changed at all now."""
        if is_cross:
            return bool(self.cross_is_on.any()) or bool((self.alignment.weights != 1).any())
        is_small = self.max_self_attention_pixels is None or num_queries <= self.max_self_attention_pixels
        return is_small and bool(self.self_is_on.any())

    def apply(self, probabilities: Tensor, is_cross: bool) -> Tensor:
        """Return ``(R, heads, Q, K)`` probabilities whose last ``B`` rows, the target's, take from the ``B`` before.

        ``R`` is ``2B`` without guidance and ``4B`` with it. The rows of the null condition, which come first, stay as
        they are, but for self-attention where ``in_null_half`` is set.
        """
        count = len(self.cross_is_on)
        others, source, target = probabilities.split((len(probabilities) - 2 * count, count, count))
        if self.in_null_half and not is_cross and len(others):
            first, second = others.chunk(2)
            others = torch.cat([first, self._chosen(self.self_is_on, first, second)])
        edited = self._cross(source, target) if is_cross else self._chosen(self.self_is_on, source, target)
        return torch.cat([others, source, edited])

    def shared_features(self, features: Tensor) -> Tensor:
        """Return ``(R, C, h, w)`` features in which each target takes its source's, under both conditions."""
        if self.features_are_on is None or not bool(self.features_are_on.any()):
            return features
        pairs = features.unflatten(0, (-1, 2, len(self.features_are_on)))
        source, target = pairs.unbind(1)
        taken = torch.where(self.features_are_on[:, None, None, None], source, target)
        return torch.stack([source, taken], 1).flatten(0, 2)

    def _cross(self, source: Tensor, target: Tensor) -> Tensor:
        given = torch.einsum("bhqs,bst->bhqt", source, self.alignment.mapper)
        shared = self.alignment.shared[:, None, None]
        edited = self._chosen(self.cross_is_on, given * shared + target * (1 - shared), target)
        return edited * self.alignment.weights[:, None, None]

    @staticmethod
    def _chosen(is_on: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return torch.where(is_on[:, None, None, None], first, second)


class _InjectingProcessor:
    """A layer's own processor where nothing is shared; elsewhere attention by hand, with the shared probabilities."""

    def __init__(self, injection: Injection, processor: Any, is_cross: bool) -> None:
        self.injection, self.processor, self.is_cross = injection, processor, is_cross

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        **extra: Any,
    ) -> Tensor:
        num_queries = hidden_states.shape[1] if hidden_states.ndim == 3 else hidden_states[0, 0].numel()
        if not self.injection.changes(self.is_cross, num_queries):
            return self.processor(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **extra)
        inputs, context = normalised_inputs(attn, hidden_states, encoder_hidden_states, temb)
        probabilities = self.injection.apply(attention_probabilities(attn, inputs, context), self.is_cross)
        values = attn.to_v(context).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        attended = (probabilities.to(values.dtype) @ values).transpose(1, 2).flatten(2)
        output = attn.to_out[1](attn.to_out[0](attended))
        if hidden_states.ndim == 4:
            output = output.transpose(1, 2).reshape(hidden_states.shape)
        return (output + hidden_states if attn.residual_connection else output) / attn.rescale_output_factor


@contextmanager
def injected(unet: UNet2DConditionModel, injection: Injection) -> Iterator[None]:
    """Share attention as ``injection`` says in everything that ``unet`` does inside the ``with`` block."""
    layers = {n: m for n, m in unet.named_modules() if isinstance(m, Attention) and n.endswith(("attn1", "attn2"))}
    if injection.decoder_alone:
        layers = {n: m for n, m in layers.items() if n.endswith("attn2") or n.startswith("up_blocks")}
    before = {name: layer.processor for name, layer in layers.items()}
    for name, layer in layers.items():
        processor: Any = _InjectingProcessor(injection, layer.processor, name.endswith("attn2"))
        layer.set_processor(processor)
    hook = None
    if injection.features_are_on is not None:
        hook = _feature_layer(unet).register_forward_hook(lambda _, __, found: injection.shared_features(found))
    try:
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(before[name])
        if hook is not None:
            hook.remove()


def _feature_layer(unet: UNet2DConditionModel) -> torch.nn.Module:
    """Return the layer whose output plug-and-play shares: the residual of Stable Diffusion's fourth decoder layer."""
    blocks: Any = unet.up_blocks
    resnets = blocks[min(1, len(blocks) - 1)].resnets
    layer: torch.nn.Module = resnets[min(1, len(resnets) - 1)].conv2
    return layer
