"""What an instruction means, said outright: one wording for each edit, whatever it was asked with."""

from __future__ import annotations

from editfoundry.tinyworld.edits import (
    ADD_WORDINGS,
    BACKGROUND_WORDINGS,
    COLOUR_WORDINGS,
    REMOVE_WORDINGS,
    REPLACE_WORDINGS,
    Edit,
    the_phrase,
)
from editfoundry.tinyworld.rules import all_rules


def explicit_instruction(edit: Edit) -> str:
    """Return an instruction that names what happens to what, where the edit's own may leave that to the picture.

    Of a world edit it is its rule's first wording, of a plain one the first wording of its kind.
    """
    if edit.rule:
        return next(rule.wordings[0] for rule in all_rules() if rule.name == edit.rule)
    before, after = edit.before.objects, edit.after.objects
    if edit.category == "add":
        added = next(thing for thing in after if thing not in before)
        return ADD_WORDINGS[0].format(phrase=added.phrase, position=added.position)
    if edit.index is None:
        return BACKGROUND_WORDINGS[1].format(background=edit.after.background.phrase)
    old = before[edit.index]
    if edit.category == "remove":
        return REMOVE_WORDINGS[0].format(the=the_phrase(old))
    new = after[edit.index]
    if (old.kind, old.state) == (new.kind, new.state):
        return COLOUR_WORDINGS[0].format(the=the_phrase(old), colour=new.colour)
    return REPLACE_WORDINGS[2].format(the=the_phrase(old), phrase=new.phrase)
