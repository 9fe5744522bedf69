"""Reads all pairs of a data set in order: on all cores where a GPU would else wait for one of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError

MOST_READERS = 8
"""Processes that read, of a training."""
MIN_PARALLEL = 2_048
"""Pairs from which on starting processes pays."""


def pairs_in_order(
    pixels: TripletPixels, flip: bool, batch_size: int, device: torch.device
) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of the first, and ``(B, 2, 3, H, W)`` float in [-1, 1], of up to ``batch_size`` pairs at a time.

    Args:
        pixels: of the pairs.
        flip: mirrors them.
        batch_size: pairs that are read at once.
        device: that they are read for; for a GPU, other processes read many of them.

    Raises:
        BadInputError: a shard is missing or cut, or an image is broken.
    """
    mirrored = copy.copy(pixels)
    mirrored.flip = flip
    is_parallel = device.type == "cuda" and len(pixels) >= MIN_PARALLEL
    readers = min(MOST_READERS, os.cpu_count() or 1) if is_parallel else 0
    start = 0
    for pairs in DataLoader(_Told(mirrored), batch_size, num_workers=readers, collate_fn=_stacked):
        if isinstance(pairs, BadInputError):
            raise pairs
        yield start, pairs
        start += len(pairs)


class _Told(Dataset[Tensor | BadInputError]):
    """Pairs, or what is wrong with them: raised in a reading process, it would lose its one line."""

    def __init__(self, pixels: TripletPixels) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor | BadInputError:
        try:
            return self.pixels[index]
        except BadInputError as error:
            return error


def _stacked(pairs: list[Tensor | BadInputError]) -> Tensor | BadInputError:
    tensors = []
    for pair in pairs:
        if isinstance(pair, BadInputError):
            return pair
        tensors.append(pair)
    return torch.stack(tensors)
