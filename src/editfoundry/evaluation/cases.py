"""The cases of a benchmark: their seeds, their order, and which are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from editfoundry.data.record import PLAIN_CATEGORIES, WORLD_CATEGORIES, short_hash
from editfoundry.tinyworld.edit_case import EditCase


def case_seed(case: EditCase, seed: int) -> int:
    """Return the case's own noise seed, in [0, 2^32); every editor edits the case from the same one."""
    return seed_of(case.id, seed)


def seed_of(identifier: str, seed: int) -> int:
    """Return the noise seed, in [0, 2^32), of what has this id."""
    return int(short_hash(str(seed), identifier)[:8], 16)


def order_categories(categories: Iterable[str]) -> list[str]:
    """Return the distinct categories: world ones first, in the paper's order, then plain ones, then others by name."""
    known = [*WORLD_CATEGORIES, *PLAIN_CATEGORIES]
    return sorted(set(categories), key=lambda c: (known.index(c) if c in known else len(known), c))


def sample_cases(cases: Sequence[EditCase], num_per_category: int, seed: int) -> list[EditCase]:
    """Draw cases to show, by seed and not by result: at most ``num_per_category`` of each category.

    A category's cases are drawn from different rules as long as there are any left.
    """
    by_category: defaultdict[str, list[EditCase]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: short_hash("shown", str(seed), c.id)):
        by_category[case.category].append(case)
    return [
        case
        for category in order_categories(by_category)
        for case in _spread_over_rules(by_category[category])[:num_per_category]
    ]


def _spread_over_rules(cases: Sequence[EditCase]) -> list[EditCase]:
    seen: defaultdict[str, int] = defaultdict(int)
    turns = []
    for case in cases:
        turns.append(seen[case.rule])
        seen[case.rule] += 1
    return [cases[i] for i in sorted(range(len(cases)), key=turns.__getitem__)]
