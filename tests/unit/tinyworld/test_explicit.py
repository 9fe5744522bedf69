"""An edit said outright: from the words alone, one finds what became of what."""

import pytest

from editfoundry.tinyworld.edits import sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.explicit import explicit_instruction
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import random_stream


@pytest.mark.parametrize("category", ["add", "change", "remove"])
def test_a_plain_edit_is_said_in_one_wording_that_names_as_much(category: str) -> None:
    edits = [sample_plain_edit(random_stream("explicit", n), "train", category) for n in range(120)]
    said = [explicit_instruction(edit) for edit in edits]
    firsts = {"add": {"Add"}, "remove": {"Remove"}, "change": {"Make", "Change", "Set"}}[category]
    assert {text.split()[0] for text in said} == firsts
    for edit, text in zip(edits, said, strict=True):
        # Every word that tells one thing from another is in both, in whatever wording it was asked.
        told = {word.strip(".:,") for word in edit.instruction.lower().split()} - SMALL_WORDS
        assert told <= {word.strip(".:,") for word in text.lower().split()}, (edit.instruction, text)


def test_a_world_edit_is_said_in_its_rules_first_wording_whatever_it_was_asked_with() -> None:
    for rule in trained_rules():
        drawn = [sample_world_edit(random_stream("explicit", rule.name, n), "train", rule) for n in range(6)]
        assert {explicit_instruction(edit) for edit in drawn} == {rule.wordings[0]}


SMALL_WORDS = {
    *("add", "put", "place", "remove", "take", "away", "erase", "delete", "replace", "swap", "change", "make", "paint"),
    *("turn", "move", "everything", "to", "where", "it", "is", "set", "scene", "background", "colour", "of", "the"),
    *("from", "picture", "with", "for", "into", "on", "side", "a", "an"),
}
