"""What a sample trains without: its instruction, its image, both, or some tokens of its instruction."""

from __future__ import annotations

import torch
from torch import Tensor


def conditioning_dropout(draws: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Decide from one uniform draw per sample what to drop (InstructPix2Pix, section 3.2.1).

    The first ``probability`` of the unit interval drops the instruction only, the second both, the third the image
    only.

    Args:
        draws: ``(B,)`` float, uniform in [0, 1).
        probability: of each of the three cases; the paper's is 0.05.

    Returns:
        ``drop_text, drop_image``, each ``(B,)`` bool.
    """
    drop_text = draws < 2 * probability
    drop_image = (draws >= probability) & (draws < 3 * probability)
    return drop_text, drop_image


def token_dropout(token_ids: Tensor, drop: Tensor, *, end_token: int, pad_token: int) -> Tensor:
    """Leave tokens out of instructions; what stands behind them moves up (word dropout, Iyyer et al. 2015).

    Args:
        token_ids: ``(B, L)`` int64: a start token, an instruction, an end token, padding.
        drop: ``(B, L)`` bool; start and end tokens and padding stay all the same.
        end_token: its id.
        pad_token: its id.

    Returns:
        ``(B, L)`` int64, padded anew.
    """
    length = token_ids.shape[1]
    places = torch.arange(length)
    ends = (token_ids == end_token).int().argmax(dim=1, keepdim=True)
    left_out = drop & (places > 0) & (places < ends)
    kept_first = left_out.int().argsort(dim=1, stable=True)
    padding = places >= length - left_out.sum(dim=1, keepdim=True)
    return token_ids.gather(1, kept_first).masked_fill(padding, pad_token)
