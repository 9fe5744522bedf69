"""The rulebook: its size, its categories, and what it keeps from training."""

import re
from collections import Counter

import pytest

from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import all_rules, new_rules, rules_for, trained_rules


def test_there_are_at_least_40_rules_and_their_names_are_unique() -> None:
    names = [rule.name for rule in all_rules()]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


def test_every_category_has_at_least_5_trained_rules() -> None:
    counts = Counter(rule.category for rule in trained_rules())
    assert set(counts) == set(WORLD_CATEGORIES)
    assert min(counts.values()) >= 5


def test_held_out_rules_are_never_offered_for_training() -> None:
    assert new_rules()
    offered = {rule.name for kind in KINDS.values() for state in kind.states for rule in rules_for(kind.name, state)}
    assert offered == {rule.name for rule in trained_rules()}
    assert not offered & {rule.name for rule in new_rules()}


def test_held_out_wordings_are_disjoint_from_all_trained_ones() -> None:
    trained = {wording.casefold() for rule in trained_rules() for wording in rule.wordings}
    held_out = {wording.casefold() for rule in all_rules() for wording in rule.held_out_wordings}
    assert not trained & held_out
    assert all(rule.wordings and rule.held_out_wordings for rule in all_rules())


def test_no_two_rules_of_one_state_share_a_wording() -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for rule in all_rules():
        for wording in rule.wordings + rule.held_out_wordings:
            assert seen.setdefault((rule.kind, rule.before, wording), rule.name) == rule.name, wording


def test_no_wording_gives_the_outcome_away() -> None:
    for rule in all_rules():
        outcome = KINDS[rule.kind].phrase(rule.after, KINDS[rule.kind].colours[0]).split(" ", 1)[1]
        named = re.compile(rf"\b{re.escape(outcome)}\b", re.IGNORECASE)
        assert not any(named.search(wording) for wording in rule.wordings), rule.name


@pytest.mark.parametrize(
    ("change", "message"), [({"after": "boiled"}, "has the states"), ({"category": "Magic"}, "not a world category")]
)
def test_a_rule_that_names_what_there_is_not_is_refused(change: dict[str, str], message: str) -> None:
    good = {"kind": "egg", "before": "whole", "after": "fried", "category": "Implicit-Logic"}
    with pytest.raises(ValueError, match=message):
        Rule(**(good | change), wordings=("Cook it.",), held_out_wordings=("Have it cooked.",))
