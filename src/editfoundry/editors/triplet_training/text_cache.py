"""The data set's instructions: token ids of each distinct one and, from a frozen encoder, its embedding, made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from editfoundry.data.atomic import atomic_folder
from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import tokenize
from editfoundry.editors.triplet_training.dropout import token_dropout
from editfoundry.editors.triplet_training.memory_maps import new_array

STAGE = "text cache"
TEXTS_PER_STEP = 64
"""Instructions that go through the encoder at once."""


class Texts(Protocol):
    """What a denoiser is told of each triplet."""

    @property
    def num_tokens(self) -> int:
        """Tokens of every text, padding included."""

    def read(self, indices: Tensor, drop_text: Tensor, drop_tokens: Tensor) -> Tensor:
        """Return what some triplets are trained with, on the CPU; called in a thread of its own.

        Args:
            indices: ``(B,)`` int64 triplets.
            drop_text: ``(B,)`` bool, those whose instruction is left out.
            drop_tokens: ``(B, L)`` bool, tokens to leave out.
        """


@dataclass(frozen=True)
class TextCache:
    """Distinct instructions by row; row 0 is the empty one, the null condition."""

    rows: np.ndarray
    """``(N,)`` int64: each triplet's row."""
    token_ids: np.ndarray
    """``(M, L)`` int64, memory-mapped; the empty instruction's are a start token, an end token and padding."""
    embeds: np.ndarray | None
    """``(M, L, D)`` float32, memory-mapped; none where the encoder runs at every step."""

    @property
    def num_tokens(self) -> int:
        """The length L of every instruction, padding included."""
        return int(self.token_ids.shape[1])

    def of(self, numbers: np.ndarray) -> TextCache:
        """Return the instructions of some triplets, ``(n,)`` int64."""
        return replace(self, rows=self.rows[numbers])

    def read(self, indices: Tensor, drop_text: Tensor, drop_tokens: Tensor) -> Tensor:
        """Return instructions' embeddings, ``(B, L, D)`` float, or where none are kept tokens, ``(B, L)`` int64.

        Args:
            indices: ``(B,)`` int64 triplets.
            drop_text: ``(B,)`` bool, those that get the empty instruction.
            drop_tokens: ``(B, L)`` bool, tokens to leave out; embeddings are of all tokens.
        """
        rows = np.where(drop_text.numpy(), 0, self.rows[indices.numpy()])
        if self.embeds is not None:
            return torch.from_numpy(self.embeds[rows])
        _, end_token, *_, pad_token = self.token_ids[0].tolist()
        token_ids = torch.from_numpy(self.token_ids[rows])
        return token_dropout(token_ids, drop_tokens, end_token=end_token, pad_token=pad_token)


def embedded(texts: Tensor, text_encoder: nn.Module, trains: bool) -> Tensor:
    """Return the embeddings, ``(B, L, D)``, of what `TextCache.read` gave; gradients reach an encoder that trains."""
    if texts.is_floating_point():
        return texts
    with torch.set_grad_enabled(trains and torch.is_grad_enabled()):
        encoded: Tensor = text_encoder(texts)[0]
    return encoded


def text_cache(
    folder: Path, instructions: Sequence[str], tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, *, embed: bool
) -> TextCache:
    """Open the cache in ``folder``, first making it if it is not there.

    Args:
        folder: its name should contain the hashes of data set and text encoder.
        instructions: of all triplets, in order.
        tokenizer: of the editor.
        text_encoder: on the device to encode on.
        embed: keep embeddings, not only token ids.
    """
    if not folder.exists():
        with atomic_folder(folder, STAGE) as partial:
            _write(partial, instructions, tokenizer, text_encoder, embed)
    embeds = np.load(folder / "embeds.npy", mmap_mode="r") if embed else None
    return TextCache(np.load(folder / "rows.npy"), np.load(folder / "token_ids.npy", mmap_mode="r"), embeds)


@torch.no_grad()
def _write(
    folder: Path, instructions: Sequence[str], tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, embed: bool
) -> None:
    distinct = list(dict.fromkeys(["", *instructions]))
    place = {text: row for row, text in enumerate(distinct)}
    np.save(folder / "rows.npy", np.array([place[text] for text in instructions], dtype=np.int64))
    token_ids = tokenize(tokenizer, distinct)
    np.save(folder / "token_ids.npy", token_ids.numpy())
    if not embed:
        return
    shape = (*token_ids.shape, text_encoder.config.hidden_size)
    embeds = new_array(folder / "embeds.npy", shape)
    for start in range(0, len(distinct), TEXTS_PER_STEP):
        part = token_ids[start : start + TEXTS_PER_STEP].to(text_encoder.device)
        embeds[start : start + len(part)] = text_encoder(part)[0].float().cpu().numpy()
    embeds.flush()
