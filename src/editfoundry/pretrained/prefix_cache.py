"""Keys and values of the beginning that prompts share, computed once."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch

from editfoundry.pretrained.placement import device_of

MAX_PREFIXES = 16


@dataclass(frozen=True)
class Prefix:
    """A computed beginning; the empty one by default."""

    length: int = 0
    """Tokens."""
    keys_and_values: Any = None
    """transformers' cache of a batch of one."""

    def repeated(self, num_rows: int) -> Any:
        """Return a cache of its own for ``num_rows`` prompts that all begin so; None for the empty beginning."""
        if not self.length:
            return None
        cache = copy.deepcopy(self.keys_and_values)
        cache.batch_repeat_interleave(num_rows)
        return cache


@dataclass
class PrefixCache:
    """The beginnings used last, by their tokens."""

    _known: OrderedDict[tuple[int, ...], Prefix] = field(default_factory=OrderedDict)
    num_computed: int = 0

    def forget(self) -> None:
        """Let go of all beginnings."""
        self._known.clear()

    def of(self, model: Any, ids: Sequence[int]) -> Prefix:
        """Return the computed beginning ``ids``, computing it where it is not known."""
        key = tuple(ids)
        if key not in self._known:
            output = model(torch.tensor([list(ids)], device=device_of(model)), use_cache=True, logits_to_keep=1)
            self._known[key] = Prefix(len(key), output.past_key_values)
            self.num_computed += 1
        self._known.move_to_end(key)
        while len(self._known) > MAX_PREFIXES:
            self._known.popitem(last=False)
        return self._known[key]


def num_shared(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all sequences begin with in common."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*sequences, strict=False)))
