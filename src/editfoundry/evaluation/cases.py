"""What every editor and every report share of a benchmark's cases: their seeds and the order of their categories."""

from __future__ import annotations

from collections.abc import Iterable

from editfoundry.data.edit_tasks import TASK_NAMES
from editfoundry.data.record import PLAIN_CATEGORIES, WORLD_CATEGORIES, short_hash


def seed_of(identifier: str, seed: int) -> int:
    """Return the noise seed, in [0, 2^32), of what has this id; every editor starts from the same one."""
    return int(short_hash(str(seed), identifier)[:8], 16)


def order_categories(categories: Iterable[str]) -> list[str]:
    """Return the distinct categories: world ones, plain ones, Emu Edit's tasks, then others by name."""
    known = [*WORLD_CATEGORIES, *PLAIN_CATEGORIES, *TASK_NAMES]
    return sorted(set(categories), key=lambda c: (known.index(c) if c in known else len(known), c))
