"""The tasks ``local``, ``remove``, ``add`` and ``background``: the outcome is another scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.edits import (
    ADD_WORDINGS,
    BACKGROUND_WORDINGS,
    COLOUR_WORDINGS,
    REMOVE_WORDINGS,
    REPLACE_WORDINGS,
    Edit,
    shows_colour,
    the_phrase,
)
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.open_outcomes import open_outcomes
from editfoundry.tinyworld.scene import POSITIONS, Scene
from editfoundry.tinyworld.scene_sampling import Split, random_background, random_object, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import are_of_split, pick
from editfoundry.tinyworld.tasks.likenesses import without
from editfoundry.tinyworld.tasks.task_edit import TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings
from editfoundry.tinyworld.wrong_outcomes import changed_thing, shows, wrong_outcomes

ADD = Wordings(ADD_WORDINGS, ("Let there be {phrase} on the {position}.", "I want {phrase} on the {position} too."))
REMOVE = Wordings(REMOVE_WORDINGS, ("Get rid of {the}.", "The picture should be without {the}."))
REPLACE = Wordings(REPLACE_WORDINGS, ("Instead of {the} there should be {phrase}.", "Exchange {the} for {phrase}."))
COLOUR = Wordings(COLOUR_WORDINGS, ("Turn {the} {colour}.", "{the} should be {colour}."))
STATE = Wordings(
    ("Turn {the} into {phrase}.", "Make {phrase} of {the}.", "Let {the} become {phrase}."),
    ("{the} is now {phrase}.", "Transform {the} into {phrase}."),
)
BACKGROUND = Wordings(BACKGROUND_WORDINGS, ("Put it all {background}.", "Show the same things {background}."))
_NUM_CHANGES = (6, 4, 7)
"""How often, of 17, something is replaced, gets another colour, gets into another state."""

_Made = tuple[Scene, Scene, Wordings, dict[str, str], int | None]
"""Before, after, how it is said, what is filled in, and which object of ``before`` changes."""


def sample_local(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that is replaced, gets another colour or another state."""
    return _sample(EditTask.LOCAL, _local, random, split, held_out_wording)


def sample_remove(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that is taken away."""
    return _sample(EditTask.REMOVE, _remove, random, split, held_out_wording)


def sample_add(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a thing that comes beside another."""
    return _sample(EditTask.ADD, _add, random, split, held_out_wording)


def sample_background(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw things that get into another place."""
    return _sample(EditTask.BACKGROUND, _background, random, split, held_out_wording)


def scene_edit_of(
    task: EditTask, random: np.random.Generator, scene: Scene, held_out_wording: bool = False
) -> TaskEdit | None:
    """Draw an edit of a scene that is given, of one of this file's tasks; None where what was drawn cannot be."""
    made = _OF_SCENES[task](random, scene)
    if made is None:
        return None
    before, after, wordings, said, index = made
    text = wordings.say(random, held_out_wording, **said)
    return _task_edit(task, Edit(before=before, after=after, instruction=text, category=task, index=index), said)


def _sample(
    task: EditTask,
    make: Callable[[np.random.Generator, Split], _Made | None],
    random: np.random.Generator,
    split: Split,
    held_out_wording: bool,
) -> TaskEdit:
    while True:
        made = make(random, split)
        if made is None or not are_of_split(split, *made[:2]):
            continue
        before, after, wordings, said, index = made
        text = wordings.say(random, held_out_wording, **said)
        edit = Edit(before=before, after=after, instruction=text, category=task, index=index)
        if shows(edit):
            return _task_edit(task, edit, said)


def _task_edit(task: EditTask, edit: Edit, said: dict[str, str]) -> TaskEdit:
    return TaskEdit(
        task=task,
        instruction=edit.instruction,
        input_caption=edit.before.caption,
        output_caption=edit.after.caption,
        before=drawing_of(edit.before),
        after=drawing_of(edit.after),
        wrong=lambda random: (drawing_of(scene) for scene in wrong_outcomes(random, edit)),
        changes=changed_thing(edit),
        said=said,
        open=tuple(map(drawing_of, open_outcomes(edit))),
        index=edit.index,
    )


def _local(random: np.random.Generator, split: Split) -> _Made | None:
    return _local_of(random, sample_scene(random, split))


def _local_of(random: np.random.Generator, scene: Scene) -> _Made | None:
    index = int(random.integers(len(scene.objects)))
    thing = scene.objects[index]
    make = pick(
        random,
        [kind for kind, n in zip((_replaced, _coloured, _in_state), _NUM_CHANGES, strict=True) for _ in range(n)],
    )
    return make(random, scene, index) if make is not _coloured or shows_colour(thing) else None


def _replaced(random: np.random.Generator, scene: Scene, index: int) -> _Made | None:
    thing = scene.objects[index]
    drawn = random_object(random, thing.position)
    new = replace(drawn, size=thing.size, dx=thing.dx, ground=thing.ground)
    after = replace(scene, objects=(*scene.objects[:index], new, *scene.objects[index + 1 :]))
    said = {"the": the_phrase(thing), "phrase": new.phrase}
    return None if new.kind == thing.kind else (scene, after, REPLACE, said, index)


def _coloured(random: np.random.Generator, scene: Scene, index: int) -> _Made | None:
    thing = scene.objects[index]
    colour = pick(random, [c for c in KINDS[thing.kind].colours if c != thing.colour])
    said = {"the": the_phrase(thing), "colour": colour}
    return scene, scene.with_object(index, colour=colour), COLOUR, said, index


def _in_state(random: np.random.Generator, scene: Scene, index: int) -> _Made | None:
    thing = scene.objects[index]
    state = pick(random, [s for s in KINDS[thing.kind].states if s != thing.state])
    after = scene.with_object(index, state=state)
    said = {"the": the_phrase(thing), "phrase": after.objects[index].phrase}
    return scene, after, STATE, said, index


def _remove(random: np.random.Generator, split: Split) -> _Made | None:
    return _remove_of(random, sample_scene(random, split))


def _remove_of(random: np.random.Generator, scene: Scene) -> _Made | None:
    index = int(random.integers(len(scene.objects)))
    return scene, without(scene, index), REMOVE, {"the": the_phrase(scene.objects[index])}, index


def _add(random: np.random.Generator, split: Split) -> _Made | None:
    after = sample_scene(random, split, num_objects=2)
    index = int(random.integers(2))
    added = after.objects[index]
    return without(after, index), after, ADD, {"phrase": added.phrase, "position": added.position}, None


def _add_of(random: np.random.Generator, scene: Scene) -> _Made | None:
    """Add a thing where there is room; as in `_add`, two things stand left and right."""
    taken = [thing.position for thing in scene.objects]
    room = [position for position in POSITIONS if position not in taken and (not taken or position != "middle")]
    if len(taken) > 1 or not room or "middle" in taken:
        return None
    added = random_object(random, pick(random, room))
    things = sorted((*scene.objects, added), key=lambda thing: list(POSITIONS).index(thing.position))
    said = {"phrase": added.phrase, "position": added.position}
    return scene, replace(scene, objects=tuple(things)), ADD, said, None


def _background(random: np.random.Generator, split: Split) -> _Made | None:
    return _background_of(random, sample_scene(random, split))


def _background_of(random: np.random.Generator, scene: Scene) -> _Made | None:
    background = random_background(random)
    if background.place == scene.background.place:
        return None
    after = replace(scene, background=background)
    return scene, after, BACKGROUND, {"background": background.phrase}, None


_OF_SCENES: dict[EditTask, Callable[[np.random.Generator, Scene], _Made | None]] = {
    EditTask.LOCAL: _local_of,
    EditTask.REMOVE: _remove_of,
    EditTask.ADD: _add_of,
    EditTask.BACKGROUND: _background_of,
}
