"""The dynamics of tinyworld: every rule there is, those that are trained, and those that are not."""

from __future__ import annotations

from functools import lru_cache

from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rulebook import real_world, virtual_world


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Return every rule, in the order of the categories."""
    return tuple(sorted(real_world.RULES + virtual_world.RULES, key=lambda r: WORLD_CATEGORIES.index(r.category)))


def trained_rules() -> tuple[Rule, ...]:
    """Return the rules that appear in training."""
    return tuple(rule for rule in all_rules() if rule.trained)


def new_rules() -> tuple[Rule, ...]:
    """Return the rules that are never trained on (split ``test-new-rules``)."""
    return tuple(rule for rule in all_rules() if not rule.trained)


def rules_for(kind: str, state: str) -> tuple[Rule, ...]:
    """Return the trained rules that apply to a kind in a state."""
    return tuple(rule for rule in trained_rules() if (rule.kind, rule.before) == (kind, state))
