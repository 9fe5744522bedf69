"""Plain edits are true where the instruction makes that caption of this one, by the world's grammar."""

import pytest

from editfoundry.tinyworld.edits import sample_plain_edit
from editfoundry.tinyworld.plain_truth import plain_edit_kind, plain_edit_rows
from editfoundry.tinyworld.scene_sampling import random_stream


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_plain_edit_of_the_world_is_true_and_no_other_scene_is_its_outcome(split):
    edits = [sample_plain_edit(random_stream("truth", number), split) for number in range(300)]
    for number, edit in enumerate(edits):
        assert plain_edit_kind(edit.before.caption, edit.instruction, edit.after.caption) is not None, edit
        other = edits[number - 1].after.caption
        if other != edit.after.caption:
            assert plain_edit_kind(edit.before.caption, edit.instruction, other) is None


@pytest.mark.parametrize(
    ("edit", "output", "kind"),
    [
        (
            "Paint the small red car blue.",
            "a small blue car on the left and a white dog on the right on a beach",
            "colour",
        ),
        ("Delete the white dog.", "a small red car on the left on a beach", "remove"),
        ("Delete the dog.", "a small red car on the left on a beach", None),
        ("Delete the white dog.", "a small red car on a beach", None),
        ("Add a snail on the left.", "a snail on the left and a white dog on the right on a beach", None),
        ("Paint the small red car red.", "a small red car on the left and a white dog on the right on a beach", None),
        ("Paint the small red car blue.", "a small blue car on the left and a dog on a beach", None),
        (
            "Swap the white dog for a snail.",
            "a small red car on the left and a snail on the right on a beach.",
            "replace",
        ),
        (
            "Set the scene in a forest.",
            "A small red car on the left and a white dog on the right in a forest",
            "background",
        ),
        ("Do something.", "a small red car on the left on a beach", None),
    ],
)
def test_an_instruction_is_held_against_the_caption_it_makes(edit, output, kind):
    caption = "a small red car on the left and a white dog on the right on a beach"
    assert plain_edit_kind(caption, edit, output) == kind


def test_a_thing_is_added_where_there_is_room():
    caption, added = "a snail on the right on a beach", "a red apple on the left and a snail on the right on a beach"
    assert plain_edit_kind(caption, "Put a red apple on the left.", added) == "add"
    assert plain_edit_kind("no caption of this world", "Put a red apple on the left.", added) is None


def test_rows_are_seeded_all_different_and_true():
    rows = list(plain_edit_rows(60, seed=3))
    assert rows == list(plain_edit_rows(60, seed=3)) != list(plain_edit_rows(60, seed=4))
    assert len({(row["input"], row["edit"]) for row in rows}) == 60
    assert all(plain_edit_kind(row["input"], row["edit"], row["output"]) for row in rows)
