"""Further wordings of the world's rules."""

import re
from collections import Counter

from editfoundry.pretraining.world_wordings import further_wordings
from editfoundry.tinyworld.rules import all_rules, trained_rules


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w']+", text.lower()))


def test_every_trained_rule_has_further_wordings_of_its_own() -> None:
    further = [(rule, wording) for rule in trained_rules() for wording in further_wordings(rule.name)]
    assert {rule.name for rule, _ in further} == {rule.name for rule in trained_rules()}
    own = {words(wording) for rule in trained_rules() for wording in rule.wordings}
    said = Counter(words(wording) for _, wording in further)
    assert set(said.values()) == {1} and not own & said.keys()


def test_no_wording_that_is_kept_for_tests_is_among_them() -> None:
    kept = {words(wording) for rule in all_rules() for wording in rule.held_out_wordings}
    kept |= {words(wording) for rule in all_rules() if not rule.trained for wording in rule.wordings}
    assert not kept & {words(wording) for rule in trained_rules() for wording in further_wordings(rule.name)}
