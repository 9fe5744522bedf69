"""Training pictures of several aspect ratios and about one area: little of a wide or tall pair is cropped away.

After NovelAI's aspect-ratio bucketing: each pair is cropped to the nearest of a few sizes, both its pictures alike, and
a step's batch is of one size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from editfoundry.errors import BadInputError

Size = tuple[int, int]
"""Width and height, pixels."""
RESOLUTIONS = (256, 512, 768, 1024)
"""Sides of the squares whose areas no size exceeds."""
MULTIPLE = 64
"""Pixels that every side is a multiple of: a UNet of four levels halves its latents without a rest."""
MAX_ASPECT_RATIO = 4.0


def training_sizes(resolution: int) -> list[Size]:
    """Return the sizes of at most ``resolution`` squared pixels, widest last, each as high as its width allows.

    Raises:
        BadInputError: the resolution is none of ``RESOLUTIONS``.
    """
    if resolution not in RESOLUTIONS:
        known = ", ".join(map(str, RESOLUTIONS))
        raise BadInputError(f"resolution is {resolution}, but must be one of {known} where aspect_ratios is on")
    sizes = {}
    for width in range(MULTIPLE, int(resolution * math.sqrt(MAX_ASPECT_RATIO)) + 1, MULTIPLE):
        height = resolution**2 // width // MULTIPLE * MULTIPLE
        if height and max(width, height) <= MAX_ASPECT_RATIO * min(width, height):
            # Of two widths with one height, the wider one fills more of the area.
            sizes[height] = (width, height)
    across = set(sizes.values())
    return sorted(across | {(height, width) for width, height in across})


def nearest_size(size: Size, sizes: Sequence[Size]) -> Size:
    """Return the one of ``sizes`` whose aspect ratio is nearest to that of ``size``, by their quotient."""
    ratio = math.log(size[0] / size[1])
    return min(sizes, key=lambda candidate: (abs(math.log(candidate[0] / candidate[1]) - ratio), candidate))


class SizeSchedule:
    """Which of several groups of triplets each step takes: each as often as its share of the triplets says.

    A group has batches for as many of its triplets as are full at the end of an epoch; the rest begins its next epoch.
    Within an epoch the groups come in a seeded order. With one group this is the plain order of batches.
    """

    def __init__(self, seed: int, group_sizes: Sequence[int], batch_size: int) -> None:
        self.seed, self.group_sizes, self.batch_size = seed, tuple(group_sizes), batch_size
        self._order: tuple[int, Tensor] | None = None

    def place(self, step: int) -> tuple[int, int]:
        """Return step ``step``'s group, and which of the samples of the group's endless epochs is its first."""
        if len(self.group_sizes) == 1:
            return 0, step * self.batch_size
        epoch = self._epoch_of(step)
        before = [self._num_batches(group, epoch) for group in range(len(self.group_sizes))]
        order = self._order_of(epoch)
        position = step - sum(before)
        group = int(order[position])
        batch = before[group] + int((order[:position] == group).sum())
        return group, batch * self.batch_size

    def _num_batches(self, group: int, num_epochs: int) -> int:
        """Return how many batches of a group are full after some epochs."""
        return num_epochs * self.group_sizes[group] // self.batch_size

    def _epoch_of(self, step: int) -> int:
        # Batches that are not full come later, so this is the earliest epoch that the step can be in.
        epoch = step * self.batch_size // sum(self.group_sizes)
        while sum(self._num_batches(group, epoch + 1) for group in range(len(self.group_sizes))) <= step:
            epoch += 1
        return epoch

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            numbers = torch.arange(len(self.group_sizes))
            counts = [self._num_batches(int(g), epoch + 1) - self._num_batches(int(g), epoch) for g in numbers]
            groups = numbers.repeat_interleave(torch.tensor(counts))
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + 700_001 * (epoch + 1))
            self._order = epoch, groups[torch.randperm(len(groups), generator=generator)]
        return self._order[1]
