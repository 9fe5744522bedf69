"""Random numbers that depend on nothing but what they are for."""

from __future__ import annotations

import hashlib

import numpy as np


def random_of(*key: object) -> np.random.Generator:
    """Return a generator for ``key``; its parts' ``repr`` tells keys apart."""
    return np.random.default_rng(np.frombuffer(_digest(key), dtype=np.uint32))


def seed_of(*key: object) -> int:
    """Return a request's seed for ``key``, in [0, 2**31)."""
    return int.from_bytes(_digest(key)[:4], "big") >> 1


def _digest(key: tuple[object, ...]) -> bytes:
    return hashlib.sha256(repr(key).encode()).digest()
