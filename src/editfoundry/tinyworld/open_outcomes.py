"""What an instruction leaves open: where exactly a new thing stands, and a colour that its phrase does not name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from editfoundry.tinyworld.edits import Edit, shows_colour
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import GROUNDS, OFFSETS

NUM_OFFSETS, NUM_GROUNDS = 5, 6
"""Places of a thing that is added: about a pixel of 64 apart."""


def open_outcomes(edit: Edit) -> list[Scene]:
    """Return the scenes that an instruction allows as much as its true outcome; none where it leaves nothing open.

    What is added stands anywhere within its position, left, middle or right; what replaces a thing stands where that
    stood. Either may have any colour that its phrase does not name. What the world makes of a thing is not open.
    """
    if edit.rule:
        return []
    before = {thing.position: thing for thing in edit.before.objects}
    new = [
        index
        for index, thing in enumerate(edit.after.objects)
        if thing.position not in before or before[thing.position].kind != thing.kind
    ]
    if len(new) != 1 or edit.before.background != edit.after.background:
        return []
    index = new[0]
    thing = edit.after.objects[index]
    colours = (thing.colour,) if shows_colour(thing) else KINDS[thing.kind].colours
    places = [(thing.dx, thing.ground)]
    if thing.position not in before:
        offsets, grounds = np.linspace(*OFFSETS, NUM_OFFSETS).round(4), np.linspace(*GROUNDS, NUM_GROUNDS).round(4)
        places = [(dx, ground) for dx in offsets.tolist() for ground in grounds.tolist()]
    things = [replace(thing, colour=colour, dx=dx, ground=ground) for colour in colours for dx, ground in places]
    objects = edit.after.objects
    scenes = [replace(edit.after, objects=(*objects[:index], other, *objects[index + 1 :])) for other in things]
    return [scene for scene in scenes if scene != edit.after]
