"""The trained part of the language model: token embeddings and head, and its blocks where they are told to train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

IGNORED = -100
"""Label of tokens that are not learnt to be said: the question, and padding."""


class Told(NamedTuple):
    """What a pass of the language model gave."""

    loss: Tensor
    """Mean cross-entropy of all answers' tokens, the picture tokens and the end included (MGIE, eq. 2, averaged over a
    batch as its release does); a scalar."""
    states: Tensor
    """``(B, T, D)``, those that predict the picture tokens."""
    token_embeds: Tensor
    """``(T, D)``, the picture tokens' embeddings."""


class ExpressiveMllm(nn.Module):
    """Only what trains is among its parameters: checkpoints to resume from, and exchanged gradients, hold no more."""

    def __init__(
        self,
        model: Any,
        picture_tokens: Sequence[int],
        pad_token: int,
        trains: bool = True,
        trains_blocks: bool = False,
    ) -> None:
        """Freeze ``model``, a LLaVA, but for its token embeddings and head where it ``trains``, and its blocks where
        they do.
        """
        super().__init__()
        model.requires_grad_(False)
        self.embeddings: nn.Embedding = model.get_input_embeddings()
        head = model.get_output_embeddings()
        # Tied to the embeddings, it is one and the same parameter.
        self.own_head = None if head.weight is self.embeddings.weight else head
        for part in (self.embeddings, head):
            part.weight.requires_grad_(trains)
        inner = model.model.language_model
        # Without the embeddings, which the language model has among its own parts.
        self.blocks = nn.ModuleList([*inner.layers, inner.norm]) if trains_blocks else None
        if self.blocks is not None:
            self.blocks.requires_grad_(True)
        # In a tuple they are no parts of this module.
        self._around = (model, head)
        self.picture_tokens, self.pad_token = list(picture_tokens), pad_token

    def forward(self, token_ids: Tensor, labels: Tensor, features: Tensor | None) -> Told:
        """Read whole chats, which end with the picture tokens and an end token.

        Args:
            token_ids: ``(B, L)`` int64, padded on the left.
            labels: ``(B, L)`` int64, `IGNORED` where a token is not learnt to be said.
            features: ``(B, N, D)`` of each chat's picture; None where there is none.
        """
        model, head = self._around
        embeds = self.embeddings(token_ids)
        if features is not None:
            places = (token_ids == model.config.image_token_id)[..., None]
            embeds = embeds.masked_scatter(places, features.to(embeds))
        is_there = (token_ids != self.pad_token).cumsum(-1) > 0
        states = model.model(
            inputs_embeds=embeds,
            attention_mask=is_there.long(),
            position_ids=(is_there.cumsum(-1) - 1).clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        is_said = labels[:, 1:] != IGNORED
        loss = cross_entropy(head(states[:, :-1][is_said]).float(), labels[:, 1:][is_said])
        count = len(self.picture_tokens)
        return Told(loss, states[:, -count - 2 : -2], self.embeddings.weight[self.picture_tokens])


@torch.no_grad()
def features_of(model: Any, processor: Any, images: Sequence[Any]) -> Tensor:
    """Return ``(B, N, D)`` features of pictures of one size, as the language model reads them."""
    from editfoundry.pretrained.picture_features import picture_features

    return torch.stack([torch.cat(row) for row in picture_features(model, processor, [(image,) for image in images])])
