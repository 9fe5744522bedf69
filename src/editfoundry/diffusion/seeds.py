"""The seeds that noise can be drawn from; light to import, since commands check them."""

from __future__ import annotations

SEEDS = range(-(2**63), 2**64)
"""What torch's generators take."""


def wrapped_seed(seed: int) -> int:
    """Return a seed that torch takes: the same one, or where it lies beyond, the one that 64 bits leave of it."""
    return seed if seed in SEEDS else seed % 2**64
