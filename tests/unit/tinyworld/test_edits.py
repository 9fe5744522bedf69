"""World and plain edits: what is asked, and what becomes of the scene."""

from dataclasses import replace

from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_state_edit, sample_world_edit
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.rules import all_rules
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream

PLAIN = [sample_plain_edit(random_stream("edit test", i), "train") for i in range(400)]


def plain(category: str) -> list[Edit]:
    return [edit for edit in PLAIN if edit.category == category]


def test_plain_edits_say_nothing_that_a_world_rule_says() -> None:
    wordings = {w for rule in all_rules() for w in rule.wordings + rule.held_out_wordings}
    assert not any(edit.instruction in wordings for edit in PLAIN)
    assert all(edit.rule == "" for edit in PLAIN)


def test_plain_edits_of_the_training_split_start_from_train_scenes() -> None:
    assert not any(is_held_out(edit.before) for edit in PLAIN)


def test_an_addition_keeps_everything_and_names_what_comes() -> None:
    for edit in plain("add"):
        (added,) = [o for o in edit.after.objects if o not in edit.before.objects]
        assert set(edit.before.objects) < set(edit.after.objects)
        assert added.phrase in edit.instruction and added.position in edit.instruction


def test_a_removal_keeps_everything_else_and_names_what_goes() -> None:
    for edit in plain("remove"):
        assert edit.index is not None
        gone = edit.before.objects[edit.index]
        assert [o for o in edit.before.objects if o != gone] == list(edit.after.objects)
        assert gone.phrase.split(" ", 1)[1] in edit.instruction


def test_a_change_changes_the_background_or_one_object_and_its_caption_says_so() -> None:
    for edit in plain("change"):
        assert edit.before.caption != edit.after.caption
        if edit.index is None:
            assert edit.after == replace(edit.before, background=edit.after.background)
            assert edit.after.background.phrase in edit.instruction
        else:
            same = zip(edit.before.objects, edit.after.objects, strict=True)
            assert [i for i, (a, b) in enumerate(same) if a != b] == [edit.index]


def test_a_change_of_state_names_kind_and_state_alone_and_keeps_the_rest() -> None:
    for number in range(100):
        edit = sample_state_edit(random_stream("state", number), "train")
        assert edit.index is not None and edit.before.background == edit.after.background
        before, after = (scene.objects[edit.index] for scene in (edit.before, edit.after))
        assert edit.after == edit.before.with_object(edit.index, state=after.state) != edit.before
        words = edit.instruction.rstrip(".").lower().split()
        assert "small" not in words and edit.instruction.endswith(KINDS[after.kind].phrase(after.state, "") + ".")
        if len(KINDS[before.kind].colours) > 1:
            assert before.colour not in words


def test_a_world_edit_applies_its_rule_to_one_object() -> None:
    for rule in all_rules():
        edit = sample_world_edit(random_stream(rule.name), "test", rule, held_out_wording=True)
        assert edit.index is not None
        before, after = edit.before.objects[edit.index], edit.after.objects[edit.index]
        assert (before.kind, before.state) == (rule.kind, rule.before)
        assert after == replace(before, state=rule.after)
        assert edit.instruction in rule.held_out_wordings
        assert scene_from_caption(edit.after.caption).objects[edit.index].state == rule.after
