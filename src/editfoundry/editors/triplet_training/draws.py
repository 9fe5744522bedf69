"""Parts of long seeded draws, number for number what a slice of the whole draw is."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

_BLOCK = 16
"""Normal numbers that torch makes at once on the CPU, of as many uniform ones."""
_PASSED_OVER_AT_ONCE = 2**16


def normal_rows(size: int, shape: tuple[int, ...], rows: slice, generator: torch.Generator) -> Tensor:
    """Return ``rows`` of ``torch.randn((size, *shape), generator=generator)``; the generator ends where that leaves it.

    Only the rows themselves are kept in memory, and numbers of the others are passed over, which is cheaper than making
    them.
    """
    start, stop, _ = rows.indices(size)
    each = prod(shape)
    if each % _BLOCK:
        return torch.randn((size, *shape), generator=generator)[start:stop]
    _pass_over(start * each, generator)
    drawn = torch.randn((stop - start, *shape), generator=generator)
    _pass_over((size - stop) * each, generator)
    return drawn


def _pass_over(count: int, generator: torch.Generator) -> None:
    """Let a generator go on as if ``count`` numbers of 32 bits had been drawn from it."""
    unused = torch.empty(min(count, _PASSED_OVER_AT_ONCE), dtype=torch.int32)
    for start in range(0, count, _PASSED_OVER_AT_ONCE):
        unused[: count - start].random_(generator=generator)


class EpochOrder:
    """Which triplets come at which place of endless epochs, each in an order of its own; the last ones are kept."""

    _NUM_KEPT = 2

    def __init__(self, seed: int, num_triplets: int) -> None:
        self.seed, self.num_triplets = seed, num_triplets
        self._orders: dict[int, Tensor] = {}

    def indices(self, start: int, count: int) -> Tensor:
        """Return ``(count,)`` int64 indices of the samples from ``start`` on."""
        num = self.num_triplets
        parts, place, left = [], start, count
        while left:
            epoch, first = divmod(place, num)
            part = self._order(epoch)[first : first + left]
            parts.append(part)
            place, left = place + len(part), left - len(part)
        return torch.cat(parts)

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + 500_009 * (epoch + 1))
            self._orders[epoch] = torch.randperm(self.num_triplets, generator=generator)
            for old in list(self._orders)[: -self._NUM_KEPT]:
                del self._orders[old]
        return self._orders[epoch]
